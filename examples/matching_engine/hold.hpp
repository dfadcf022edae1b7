#pragma once

#include <cstdint>
#include <limits>

#include "examples/matching_engine/run.hpp"
#include "examples/matching_engine/sighting.hpp"

namespace lockstep::examples {

/// Keeps rank 0 from publishing the last quarter of the orders before the member that is killed is
/// back: so the kill falls into the run and the new process has orders left to apply, however late
/// this machine gets round to either. Between the kill and the first order after it nothing is
/// held: the blackout is the group's own.
class Hold {
 public:
  /// `shared` must outlive it. Without a --kill nothing is held.
  Hold(const FlowSummary& summary, const Options& options, const SharedRun& shared)
      : shared_(shared), victim_(options.kill.value_or(0)) {
    if (options.kill) from_ = summary.orders - summary.orders / 4;
  }

  /// Whether the next order must wait, so many having been published.
  [[nodiscard]] bool holds(std::uint64_t published) const noexcept {
    return published >= from_ && !released();
  }

 private:
  [[nodiscard]] bool released() const noexcept {
    const Sighting& victim = shared_.sightings[victim_];
    if (seen(victim.over) != 0) return true;  // it gave up
    const std::uint64_t killed_ns = seen(shared_.kill[0].killed_ns);
    if (killed_ns == 0) return false;
    if (seen(shared_.sightings[0].resumed_ns) == 0) return true;
    return seen(victim.joined_ns) > killed_ns;
  }

  const SharedRun& shared_;
  std::uint32_t victim_;
  std::uint64_t from_ = std::numeric_limits<std::uint64_t>::max();
};

}  // namespace lockstep::examples
