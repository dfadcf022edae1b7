#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/sim/mishap.hpp"
#include "tools/sim/scenario.hpp"
#include "transports/sim/sim_options.hpp"

namespace lockstep::sim {

/// Everything that one seed decides before a run of a group with views begins.
struct ViewScenario {
  std::uint64_t seed = 0;
  transports::SimOptions network;
  std::uint64_t ring_bytes = 4'096;
  std::uint32_t founders = 3;  ///< members of the first view; the rest may join later
  std::vector<MemberPlan> members;
  std::vector<std::uint32_t> senders;
  Sizes sizes = Sizes::mixed;
  std::uint64_t equal_bytes = 64;
  std::uint64_t heartbeat_ns = 10'000;
  std::uint64_t silence_ns = 200'000;
  std::uint64_t patience_ns = 100'000;
  std::uint64_t loading_ns = 50'000;  ///< the longest that a joiner takes to get the state
  std::vector<Mishap> mishaps;        ///< by time
  /// Who posts the n-th write from the first mishap on dies doing it; ascending.
  std::vector<std::uint64_t> deaths;
};

/// The scenario of a seed: 2 – 5 members, at least 200 messages, mishaps.
ViewScenario draw_view_scenario(std::uint64_t seed);

/// One change of view of three calm members that all send, for searches over all its operations:
/// `leaver` leaves while messages flow; or, if it is the last, a fourth joins.
inline constexpr std::uint32_t kChanges = 4;
ViewScenario one_change(std::uint32_t leaver);

/// The scenario in a few lines, for people.
std::string describe(const ViewScenario& scenario);

}  // namespace lockstep::sim
