#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/options.hpp"
#include "bench/result.hpp"
#include "lockstep/error.hpp"

namespace lockstep::bench {

struct ComparisonOptions {
  std::vector<std::string> peers{};  ///< of peer_words(); empty, or an empty word: all
  std::uint32_t members = 3;         ///< of the group; the peers have three nodes
  std::uint64_t payload_bytes = 64;
  std::uint64_t turns = 5;
  std::uint64_t samples = 1'000;  ///< of each subject in each turn
  std::uint64_t kills = 3;        ///< failover: of a leader, each beside one of a member
  IdlePolicy idle = IdlePolicy::automatic;
  std::string peers_folder{};         ///< where the peers' programs are; empty: beside this one
  std::uint64_t answer_seconds = 60;  ///< how long a peer may take to start, and for a turn
};

/// The peers there are: "corosync", "zeromq", "etcd", "ib_write_lat".
const std::vector<std::string>& peer_words();

/// Whether these can be measured at all. Errors: invalid_argument, naming the option.
Expected<void> check(const ComparisonOptions& options);

/// Measures a group beside other systems, turn by turn: one sender, from publish to its own
/// delivery, as many samples as the peer gets. A peer that is not installed, may not run here or
/// does not answer in time is a comparison that says so. `told` is called with each comparison as
/// soon as it is there. Peers' processes and folders are gone when this returns. Blocks for
/// minutes at most. Errors: invalid_argument, naming the option; those of a group that failed.
Expected<std::vector<Comparison>> compare(const ComparisonOptions& options,
                                          const std::function<void(const Comparison&)>& told);

}  // namespace lockstep::bench
