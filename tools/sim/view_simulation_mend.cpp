#include <algorithm>

#include "tools/sim/view_member.hpp"
#include "tools/sim/view_simulation.hpp"

/// How links of a simulated group fail for a time, and are made anew; view_simulation.cpp has the
/// rest.
namespace lockstep::sim::inline LOCKSTEP_VARIANT {
namespace {

constexpr std::uint64_t bit(std::uint32_t member) { return std::uint64_t{1} << member; }

}  // namespace

void ViewSimulation::fail_links(const Mishap& outage) {
  for (std::uint32_t peer = 0; peer < members_.size(); ++peer) {
    if ((outage.peers & bit(peer)) == 0) continue;
    const auto [one, other] = std::minmax(outage.member, peer);
    network_.fail_link(outage.member, peer, transports::DownReason::unreachable);
    // Whoever is not in yet does not come over another link.
    if (!members_[one]->is_in() || !members_[other]->is_in()) invariants_.broken(one, other);
    outages_.push_back({one, other, clock_.now_ns() + outage.duration_ns});
  }
}

/// Whether the member would make its link to `peer` anew: it goes on with nobody, and has lost it.
bool ViewSimulation::wants(const Member& member, std::uint32_t peer) const {
  return !member.crashed && member.is_in() && !member.views->is_evicted() && !member.has_quorum &&
         (member.views->broken_links() & bit(peer)) != 0;
}

void ViewSimulation::seek_mending() {
  for (const Outage& outage : outages_) {
    if (clock_.now_ns() < outage.until_ns || invariants_.is_broken(outage.one, outage.other)) {
      continue;
    }
    const bool wanted =
        wants(*members_[outage.one], outage.other) && wants(*members_[outage.other], outage.one);
    const bool under_way = std::ranges::any_of(mendings_, [&](const Mending& mending) {
      return std::minmax(mending.member, mending.other) == std::minmax(outage.one, outage.other);
    });
    if (!wanted || under_way) continue;
    const std::uint64_t one_ns = clock_.now_ns() + random_.below(30'000);
    const std::uint64_t other_ns = clock_.now_ns() + random_.below(30'000);
    mendings_.push_back({one_ns, other_ns, outage.one, outage.other});
    mendings_.push_back({other_ns, one_ns, outage.other, outage.one});
  }
}

// Each end adopts it at a time of its own, unless it does not want it any more: then the other end
// finds it closed.
void ViewSimulation::mend() {
  for (auto mending = mendings_.begin(); mending != mendings_.end();) {
    if (mending->at_ns > clock_.now_ns()) {
      ++mending;
      continue;
    }
    const Mending due = *mending;
    mending = mendings_.erase(mending);
    Member& member = *members_[due.member];
    if (wants(member, due.other)) {
      ++report_.mended;
      add(TraceKind::mended, due.member, due.other);
      auto link = transports::SimNetwork::make_link(due.other, due.other_at_ns + 1);
      if (!member.views->mend(std::move(link))) invariants_.note("transport: a link not adopted");
      if (member.asleep) member.next_ns = clock_.now_ns();
    } else {
      std::erase_if(mendings_, [&](const Mending& other) {
        return other.member == due.other && other.other == due.member;
      });
      mending = mendings_.begin();
      network_.fail_link(due.member, due.other, transports::DownReason::link_failed);
    }
  }
}

}  // namespace lockstep::sim::inline LOCKSTEP_VARIANT
