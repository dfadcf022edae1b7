#include "examples/matching_engine/failover.hpp"

#include <algorithm>

namespace lockstep::examples {

std::optional<Failover> failover_of(std::uint32_t victim, const SharedRun& shared) {
  const std::uint64_t killed_ns = shared.kill[0].killed_ns;
  const Sighting& back = shared.sightings[victim];
  if (killed_ns == 0 || back.joined_ns <= killed_ns) return std::nullopt;
  std::uint64_t resumed_ns = 0;
  std::uint64_t installed_ns = 0;
  std::uint64_t unreachable_ns = ~std::uint64_t{0};
  Failover failover{
      .victim = victim, .back_ns = back.joined_ns - killed_ns, .orders_got = back.orders_got};
  for (std::uint32_t rank = 0; rank < shared.sightings.size(); ++rank) {
    if (rank == victim) continue;
    const Sighting& sees = shared.sightings[rank];
    if (sees.resumed_ns <= killed_ns) return std::nullopt;
    resumed_ns = std::max(resumed_ns, sees.resumed_ns);
    installed_ns = std::max(installed_ns, sees.installed_ns);
    // A survivor may learn of the loss from the next view.
    const std::uint64_t missed_ns = sees.unreachable_ns != 0 ? sees.unreachable_ns : installed_ns;
    unreachable_ns = std::min(unreachable_ns, missed_ns);
    failover.longest_gap_ns = std::max(failover.longest_gap_ns, sees.longest_gap_ns);
  }
  failover.blackout_ns = resumed_ns - killed_ns;
  failover.change_ns = installed_ns - std::min(unreachable_ns, installed_ns);
  return failover;
}

}  // namespace lockstep::examples
