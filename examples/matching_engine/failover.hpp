#pragma once

#include <cstdint>
#include <optional>

#include "examples/matching_engine/run.hpp"

namespace lockstep::examples {

/// What the kill of one member came to: `blackout` and `change` as `lockstep bench failover` has
/// them. Survivors are all members but the killed one.
struct Failover {
  std::uint32_t victim = 0;
  std::uint64_t blackout_ns = 0;     ///< kill to the first order in the next view, last survivor
  std::uint64_t longest_gap_ns = 0;  ///< between two orders at a survivor, while that lasted
  std::uint64_t change_ns = 0;       ///< first `unreachable` to the next view at the last survivor
  std::uint64_t back_ns = 0;         ///< kill to Group::join returning in the new process
  std::uint64_t orders_got = 0;      ///< orders in the state that the new process got
};

/// Nothing if it did not happen, to the end: nobody was killed, a survivor did not go on, or the
/// killed one did not come back.
std::optional<Failover> failover_of(std::uint32_t victim, const SharedRun& shared);

}  // namespace lockstep::examples
