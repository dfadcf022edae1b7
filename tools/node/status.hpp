#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/counters.hpp"
#include "lockstep/error.hpp"

namespace lockstep::node {

/// One configured member, as the writer of a counters file sees it.
struct MemberStatus {
  std::string name;
  std::optional<std::uint64_t> rank;  ///< nothing: not in the view
  std::uint64_t lag = 0;              ///< turns of the order
  bool unreachable = false;
  std::uint64_t stalls = 0;  ///< claims refused because it had not delivered
  /// The medium of the link to it: "shm", "tcp, encrypted"; empty: there is none.
  std::string medium{};
  /// Why a faster medium was not taken: "not shm: it runs on another host"; empty: there is none.
  std::vector<std::string> passed_over{};
};

/// One group of the reactor that writes a counters file.
struct GroupStatus {
  std::string name;
  std::uint64_t view = 0;
  std::uint64_t my_rank = 0;
  bool primary = false;
  std::vector<MemberStatus> members;  ///< in the order of the configuration
  std::uint64_t frames_delivered = 0;
  std::uint64_t frames_sent = 0;
  std::uint64_t stalls_ring_full = 0;
  std::uint64_t stalls_link_full = 0;
};

/// Who writes a counters file.
struct Writer {
  std::uint64_t pid = 0;
  bool is_alive = false;  ///< it holds the lock of the file
};

/// Errors: system, mismatch.
Expected<Writer> writer_of(const std::string& counters_file);

/// The groups that `readings` tell of (docs/counters.md). A reactor that joined a group again has
/// made its counters again: the later ones are shown.
std::vector<GroupStatus> groups_in(const std::vector<CounterReading>& readings);

/// For people: a few lines per group.
std::string to_text(const GroupStatus& group);

}  // namespace lockstep::node
