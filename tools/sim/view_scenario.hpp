#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/sim/scenario.hpp"
#include "transports/sim/random.hpp"
#include "transports/sim/sim_options.hpp"

namespace lockstep::sim {

/// Something that befalls a group whose views may change. Members are named by the rank that they
/// had in the first view, here and in everything the simulation says.
struct Mishap {
  enum class Kind : std::uint8_t {
    crash,       ///< `member` ends without a word
    pause,       ///< `member` takes no step for `duration_ns`, and goes on
    leave,       ///< `member` asks the others to go on without it
    cut,         ///< nothing gets from `member` to `peers` and back for `duration_ns`
    cut_out,     ///< nothing gets from `member` to `peers`; what they send arrives
    accuse,      ///< `member` wrongly takes `peers` for unreachable for `duration_ns`
    break_link,  ///< the link between `member` and the lowest of `peers` goes down for good
  };
  /// What it waits for: a time, or the first step of this kind in a change of view from then on;
  /// then it befalls whoever took the step.
  enum class Trigger : std::uint8_t { time, promise, acceptance, installation };
  Kind kind = Kind::crash;
  Trigger trigger = Trigger::time;
  std::uint64_t at_ns = 0;
  std::uint64_t duration_ns = 0;
  std::uint32_t member = 0;
  std::uint64_t peers = 0;  ///< a bit each
};

/// Everything that one seed decides before a run of a group with views begins.
struct ViewScenario {
  std::uint64_t seed = 0;
  transports::SimOptions network;
  std::uint64_t ring_bytes = 4'096;
  std::vector<MemberPlan> members;
  std::vector<std::uint32_t> senders;
  Sizes sizes = Sizes::mixed;
  std::uint64_t equal_bytes = 64;
  std::uint64_t heartbeat_ns = 10'000;
  std::uint64_t silence_ns = 200'000;
  std::uint64_t patience_ns = 100'000;
  std::vector<Mishap> mishaps;  ///< by time
  /// Who posts the n-th write from the first mishap on dies doing it; ascending.
  std::vector<std::uint64_t> deaths;
};

/// The scenario of a seed: 3 – 5 members, at least 200 messages, at least one mishap after which
/// the view has to change.
ViewScenario draw_view_scenario(std::uint64_t seed);

/// One change of view of three calm members that all send, for searches over all its operations:
/// `leaver` leaves while messages flow.
ViewScenario one_change(std::uint32_t leaver);

/// The scenario in a few lines, for people.
std::string describe(const ViewScenario& scenario);

}  // namespace lockstep::sim
