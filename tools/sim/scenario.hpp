#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "transports/fault/fault_plan.hpp"
#include "transports/sim/random.hpp"
#include "transports/sim/sim_options.hpp"

namespace lockstep::sim {

/// Which sizes of payload a run has.
enum class Sizes : std::uint8_t {
  equal,  ///< one size of at most a few lines, so that frames fall on the same places lap by lap
  tiny,   ///< 0 – 16 bytes
  mixed,  ///< mostly small, now and then anything
  large,  ///< anything up to the largest
};

/// What one member of a run does. Times are virtual nanoseconds.
struct MemberPlan {
  std::uint32_t messages = 0;  ///< to publish in all; 0 for who may not, or does not, send
  std::uint32_t burst = 1;     ///< the most it publishes at once
  std::uint64_t pause_ns = 0;  ///< the longest pause between bursts
  bool sleeps = false;         ///< when it finds nothing to do; else it spins
  std::uint64_t turn_ns = 0;   ///< one turn of its loop, on average
  std::uint32_t stall_permille = 0;
  std::uint64_t stall_max_ns = 0;
  std::uint32_t publish_in_apply_permille = 0;  ///< of deliveries, while messages are left
  std::uint32_t slow_apply_permille = 0;  ///< of deliveries that take long enough for bytes to come
};

/// One member that ends without a word.
struct CrashPlan {
  std::uint32_t rank = 0;
  std::uint64_t at_ns = 0;
};

/// Everything that one seed decides before a run begins.
struct Scenario {
  std::uint64_t seed = 0;
  transports::SimOptions network;
  std::optional<transports::FaultPlan> faults;  ///< in front of every member's transport
  std::uint64_t ring_bytes = 4'096;
  std::vector<MemberPlan> members;
  std::vector<std::uint32_t> senders;  ///< ranks that may send, ascending
  Sizes sizes = Sizes::mixed;
  std::uint64_t equal_bytes = 64;
  bool older_epoch = false;  ///< the rings are full of an older epoch's frames
  bool interleaved = false;  ///< bytes arrive in the middle of a member's turn, too
  std::optional<CrashPlan> crash;
};

/// The scenario of a seed: 2 – 7 members, at least 200 messages.
Scenario draw_scenario(std::uint64_t seed);

/// How long the next payload is: 0 to `largest`, as the scenario's sizes say.
std::size_t draw_payload_bytes(const Scenario& scenario, transports::Random& random,
                               std::size_t largest);

/// The scenario in a line or two, for people.
std::string describe(const Scenario& scenario);

}  // namespace lockstep::sim
