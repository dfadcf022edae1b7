#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "examples/matching_engine/run.hpp"
#include "examples/matching_engine/sighting.hpp"

namespace lockstep::examples {

/// Keeps rank 0 from publishing the last quarter of the orders before the member that is killed is
/// back: so the kill falls into the run and the new process has orders left to apply, however late
/// this machine gets round to either. One order of that quarter may go when the view without the
/// killed member is installed: the blackout ends with an order, and is to be the group's own.
class Hold {
 public:
  /// `shared` must outlive it. Without a --kill nothing is held.
  Hold(const FlowSummary& summary, const Options& options, const SharedRun& shared)
      : shared_(shared), victim_(options.kill.value_or(0)) {
    if (options.kill) from_ = summary.orders - summary.orders / 4;
  }

  /// Whether the next order must wait, so many having been published.
  [[nodiscard]] bool holds(std::uint64_t published) noexcept {
    if (published < from_ || released()) return false;
    if (shared_.sightings[0].installed_ns == 0 || shared_.sightings[0].resumed_ns != 0) return true;
    if (!may_go_) may_go_ = published;
    return published != *may_go_;
  }

 private:
  [[nodiscard]] bool released() const noexcept {
    const Sighting& victim = shared_.sightings[victim_];
    if (seen(victim.over) != 0) return true;  // it gave up
    const std::uint64_t killed_ns = seen(shared_.kill[0].killed_ns);
    return killed_ns != 0 && shared_.sightings[0].resumed_ns != 0 &&
           seen(victim.joined_ns) > killed_ns;
  }

  const SharedRun& shared_;
  std::uint32_t victim_;
  std::optional<std::uint64_t> may_go_;  ///< the number of that one order
  std::uint64_t from_ = std::numeric_limits<std::uint64_t>::max();
};

}  // namespace lockstep::examples
