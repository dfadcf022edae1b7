#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/config.hpp"
#include "tools/launch/members.hpp"

namespace lockstep::examples {

/// What the command line of the program asks for, with its defaults.
struct Options {
  std::uint32_t members = 3;  ///< 1: without a group
  launch::As as = launch::As::processes;
  std::string input{};  ///< empty: the generator
  std::string format = "auto";
  std::uint64_t orders = 0;  ///< 0: the whole file, or kGeneratedOrders
  std::uint64_t seed = 1;
  std::uint64_t speed_up = 0;           ///< 0: as fast as it goes
  std::uint32_t book_orders = 262'144;  ///< most orders that rest at a time
  std::optional<std::uint32_t> kill{};  ///< the rank to kill mid-run and to start again; not 0
  std::uint64_t timeout_s = 600;        ///< beyond the time that a paced run takes by itself
  std::vector<std::int32_t> cores{};    ///< by rank; empty: not pinned
  /// Addresses of this host at which members listen in turn, unless the configuration says where;
  /// empty: see launch::local_addresses.
  std::vector<std::string> hosts{};
  std::string json{};
  /// From --config, then from --idle, --transport, --key-file and --ring-bytes. `group.members`,
  /// `self` and `senders` are the program's own.
  Config config{};
};

inline constexpr std::uint64_t kGeneratedOrders = 1'000'000;

/// Reads the command line. True to go on; false when the program is done, with `status` set: after
/// --help, or after an error that was printed.
bool parse_options(int count, char** arguments, Options& options, int& status);

}  // namespace lockstep::examples
