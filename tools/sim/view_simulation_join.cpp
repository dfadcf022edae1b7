#include <algorithm>
#include <array>

#include "membership/welcome.hpp"
#include "tools/sim/view_member.hpp"
#include "tools/sim/view_simulation.hpp"

/// How somebody comes into a simulated group; view_simulation.cpp has the rest.
namespace lockstep::sim::inline LOCKSTEP_VARIANT {
namespace {

using transports::kNever;

constexpr std::uint64_t bit(std::uint32_t member) { return std::uint64_t{1} << member; }

}  // namespace

// A joiner goes to everybody who is in a view, again and again as views change. Each end of a link
// knows of it at a time of its own.
void ViewSimulation::seek_meetings(std::uint32_t joiner) {
  for (std::uint32_t other = 0; other < members_.size(); ++other) {
    const bool known = (members_[joiner]->links & bit(other)) != 0;
    if (other == joiner || known || members_[other]->crashed || !members_[other]->is_in()) continue;
    members_[joiner]->links |= bit(other);
    meetings_.push_back({clock_.now_ns() + random_.below(30'000), joiner, other});
  }
}

void ViewSimulation::meet() {
  std::erase_if(meetings_, [&](const Meeting& meeting) {
    if (meeting.at_ns > clock_.now_ns()) return false;
    Member& joiner = *members_[meeting.joiner];
    Member& other = *members_[meeting.other];
    if (joiner.crashed || joiner.is_in() || other.crashed || other.views->is_evicted()) return true;
    const bool sends =
        std::ranges::find(scenario_.senders, meeting.joiner) != scenario_.senders.end();
    other.views->admit(meeting.joiner, joiner.nonce, sends);
    if (other.asleep) other.next_ns = clock_.now_ns();
    return true;
  });
}

/// A turn of somebody who is not in the group yet.
void ViewSimulation::turn_joiner(Member& joiner) {
  joiner.next_ns = clock_.now_ns() + joiner.plan.turn_ns;
  if (!joiner.comes) {
    joiner.next_ns = kNever;
    return;
  }
  seek_meetings(joiner.number);
  transports::Transport& transport = network_.endpoint(joiner.number);
  std::array<transports::LinkDown, 8> events;
  transport.poll(events);
  auto first = membership::find_welcome(transport, scenario_.ring_bytes, joiner.links,
                                        joiner.number, joiner.nonce);
  if (!first) return;
  add(TraceKind::install, joiner.number, first->layout.my_rank, first->view, first->layout.members);
  joiner.begin(first->view, first->layout, false, first->donors);
}

void ViewSimulation::load(Member& joiner) {
  if (!joiner.loading || clock_.now_ns() < joiner.loaded_ns) return;
  const Member& donor = *members_[joiner.loading->from];
  const auto cut = donor.cuts.find(joiner.loading->cut);
  if (donor.crashed || cut == donor.cuts.end()) return;  // the next view says who gives it instead
  joiner.chain = cut->second;
  for (const auto& [sender, hash] : joiner.waiting) {
    joiner.chain = link_chain(joiner.chain, sender, hash);
  }
  joiner.waiting.clear();
  joiner.loading.reset();
  joiner.has_state = true;
  ++report_.joins;
  invariants_.loaded(joiner.number, joiner.chain);
  joiner.views->show_state();
}

}  // namespace lockstep::sim::inline LOCKSTEP_VARIANT
