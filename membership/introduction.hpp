#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/error.hpp"

namespace lockstep::membership {

/// What a member tells each other member when they connect; the transport carries it unread.
struct Introduction {
  std::uint64_t nonce = 0;          ///< of this member's ring in the first epoch
  std::string host;                 ///< runtime::host_identity
  std::string reactor;              ///< which thread runs the member: "pid.address"
  std::vector<std::uint32_t> cpus;  ///< CPUs that thread may run on
  std::string settings;             ///< runtime::canonical_text of the group's configuration

  [[nodiscard]] std::string encode() const;
  /// Anything may arrive. Errors: mismatch.
  static Expected<Introduction> decode(std::string_view text);
};

/// How many different reactors one host runs, and on how many different CPUs.
struct HostLoad {
  std::size_t reactors = 0;
  std::size_t cpus = 0;
};
[[nodiscard]] HostLoad host_load(const std::vector<Introduction>& introductions,
                                 const std::string& host);

}  // namespace lockstep::membership
