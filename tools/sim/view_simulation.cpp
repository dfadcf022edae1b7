#include "tools/sim/view_simulation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "tools/sim/payload.hpp"
#include "tools/sim/shown.hpp"
#include "tools/sim/view_member.hpp"

namespace lockstep::sim::inline LOCKSTEP_VARIANT {
namespace {

using transports::kNever;

/// After the last mishap: in this time a group settles, however its members hang for each other.
constexpr std::uint64_t kSettleNs = 100'000'000;
/// How long one is watched that cannot settle: it may do nothing wrong.
constexpr std::uint64_t kStuckNs = 5'000'000;

constexpr std::uint64_t bit(std::uint32_t member) { return std::uint64_t{1} << member; }

transports::SimOptions network_options(const ViewScenario& scenario) {
  transports::SimOptions options = scenario.network;
  options.region_bytes = membership::region_bytes(scenario.ring_bytes);
  options.source_bytes = 2 * scenario.ring_bytes;
  return options;
}

std::uint64_t payload_seed(const ViewScenario& scenario, std::uint32_t rank, std::uint64_t id) {
  return transports::Random(scenario.seed ^ (std::uint64_t{rank} << 56U) ^ (id << 20U)).next();
}

}  // namespace

ViewSimulation::ViewSimulation(const ViewScenario& scenario, Trace& trace)
    : scenario_(scenario),
      trace_(trace),
      random_(scenario.seed + 1),
      network_(random_.next(), network_options(scenario), clock_),
      invariants_(scenario.network.members) {
  network_.observe(this);
  ordering::ViewLayout layout{
      .members = scenario.founders, .senders = scenario.senders, .ring_bytes = scenario.ring_bytes};
  std::erase_if(layout.senders, [&](std::uint32_t sender) { return sender >= layout.members; });
  for (std::uint32_t i = 0; i < layout.members; ++i) {
    layout.nonces.push_back(random_.next());
    layout.links.push_back(i);
  }
  for (std::uint32_t i = 0; i < scenario.network.members; ++i) {
    members_.push_back(std::make_unique<Member>(*this, i));
    if (i >= scenario.founders) continue;
    layout.my_rank = i;
    members_.back()->begin(1, layout, true);
    members_.back()->next_ns = random_.below(2 * scenario.members[i].turn_ns);
  }
}

ViewSimulation::~ViewSimulation() { network_.observe(nullptr); }

Report ViewSimulation::run() {
  std::uint64_t trouble_ends_ns = 0;
  for (const Mishap& mishap : scenario_.mishaps) {
    trouble_ends_ns = std::max(trouble_ends_ns, mishap.end_ns());
  }
  const std::uint64_t deadline_ns = trouble_ends_ns + kSettleNs;
  bool calm = false;
  std::uint64_t look_ns = trouble_ends_ns + kStuckNs;
  while (!over() && next_ns() <= deadline_ns && !everything_done()) {
    if (clock_.now_ns() > look_ns) {
      if (!invariants_.can_settle()) break;
      look_ns += kStuckNs;
    }
    advance();
    if (!calm && clock_.now_ns() > trouble_ends_ns) {
      calm = true;
      network_.calm();
    }
  }
  if (!over() && !everything_done() && invariants_.can_settle()) {
    invariants_.time_is_up(clock_.now_ns());
  }
  report_.violation = invariants_.violation();
  report_.virtual_ns = clock_.now_ns();
  return report_;
}

bool ViewSimulation::everything_done() const {
  if (next_mishap_ < scenario_.mishaps.size()) return false;
  for (const std::uint32_t number : invariants_.newest_members()) {
    const Member& member = *members_[number];
    const bool sends = !member.crashed && member.is_in() && !member.views->is_evicted();
    if (sends && member.published < member.plan.messages) return false;
  }
  return invariants_.settled();
}

std::uint64_t ViewSimulation::next_ns() const {
  std::uint64_t next = network_.next_event_ns();
  for (const auto& member : members_) {
    if (!member->crashed) next = std::min(next, member->next_ns);
  }
  for (const Meeting& meeting : meetings_) next = std::min(next, meeting.at_ns);
  for (const Mending& mending : mendings_) next = std::min(next, mending.at_ns);
  if (next_mishap_ < scenario_.mishaps.size()) {
    next = std::min(next, scenario_.mishaps[next_mishap_].at_ns);
  }
  return std::max(next, clock_.now_ns());
}

void ViewSimulation::advance() {
  network_.advance_to(next_ns());
  while (next_mishap_ < scenario_.mishaps.size() &&
         scenario_.mishaps[next_mishap_].at_ns <= clock_.now_ns()) {
    if (next_mishap_ == 0) {
      first_operation_ = network_.operations();
      for (const std::uint64_t death : scenario_.deaths) network_.die_at(first_operation_ + death);
    }
    befall(scenario_.mishaps[next_mishap_++]);
  }
  meet();
  seek_mending();
  mend();
  for (std::uint32_t rank = 0; rank < members_.size() && !over(); ++rank) {
    const Member& member = *members_[rank];
    if (member.crashed) continue;
    const bool woken = member.asleep && network_.is_woken(rank);
    if (member.next_ns <= clock_.now_ns() || woken) turn(rank);
  }
}

void ViewSimulation::turn(std::uint32_t rank) {
  Member& member = *members_[rank];
  if (!member.is_in()) return turn_joiner(member);
  load(member);
  if (member.asleep) {
    member.asleep = false;
    member.views->woke();
  }
  if (clock_.now_ns() >= member.accuses_until_ns) {
    member.accuses_until_ns = kNever;
    member.views->report_unreachable(0);
  }
  publish_burst(rank);
  const bool busy = member.views->step(clock_.now_ns() + member.ahead_ns);
  if (member.claims_open != member.views->takes_messages()) {
    invariants_.note(fmt::format("events: member {} was told that claims are {}allowed", rank,
                                 member.claims_open ? "" : "not "));
  }
  if (shows_more_than_it_holds(member.views->order())) {
    invariants_.note(fmt::format("words: member {} shows more than it holds", rank));
  }
  note_steps(member);
  if (network_.died(rank) && !member.crashed) {
    befall({.kind = Mishap::Kind::crash, .member = rank, .peers = 1});
  }
  if (member.crashed) return;
  member.next_ns =
      clock_.now_ns() + random_.between(member.plan.turn_ns / 2, 2 * member.plan.turn_ns);
  if (random_.chance(member.plan.stall_permille)) {
    member.next_ns += random_.below(member.plan.stall_max_ns + 1);
  } else if (!busy && member.plan.sleeps && random_.chance(300)) {
    fall_asleep(member);
  }
}

void ViewSimulation::fall_asleep(Member& member) {
  if (!member.views->prepare_to_sleep()) return;
  if (network_.is_woken(member.number)) {
    member.views->woke();
    return;
  }
  member.asleep = true;
  const std::uint64_t now_ns = clock_.now_ns();
  member.next_ns =
      std::max(member.views->deadline_ns(), now_ns + member.ahead_ns) - member.ahead_ns;
  if (member.published < member.plan.messages) {
    member.next_ns = std::min(member.next_ns, std::max(member.next_publish_ns, now_ns));
  }
}

void ViewSimulation::publish_burst(std::uint32_t rank) {
  Member& member = *members_[rank];
  if (clock_.now_ns() < member.next_publish_ns) return;
  const std::uint64_t burst = random_.between(1, member.plan.burst);
  for (std::uint64_t i = 0; i < burst; ++i) {
    if (!publish_one(member)) break;
  }
  member.next_publish_ns = clock_.now_ns() + random_.below(member.plan.pause_ns + 1);
}

bool ViewSimulation::publish_one(Member& member) {
  const bool may = member.claims_open && member.has_state && member.views->order().is_sender();
  if (member.published >= member.plan.messages || !may) return false;
  ordering::ViewOrder& order = member.views->order();
  Scenario sizes;
  sizes.sizes = scenario_.sizes;
  sizes.equal_bytes = scenario_.equal_bytes;
  const std::size_t bytes = draw_payload_bytes(sizes, random_, order.max_payload_bytes());
  std::byte* const place = order.claim(bytes);
  if (place == nullptr) return false;
  const std::span payload(place, bytes);
  const std::uint64_t id = member.published++;
  fill_payload(payload, payload_seed(scenario_, member.number, id));
  const std::uint64_t hash = payload_hash(payload);
  order.publish(id);
  ++report_.messages;
  add(TraceKind::publish, member.number, 0, id, bytes);
  invariants_.published(
      {.at_ns = clock_.now_ns(), .member = member.number, .id = id, .bytes = bytes, .hash = hash});
  return true;
}

void ViewSimulation::note_steps(Member& member) {
  const membership::TableRow& row = member.views->row();
  if (row.promised > member.promised) {
    member.promised = row.promised;
    note_attempt(member);
    befall_who_stepped(member.number, Mishap::Trigger::promise);
  }
  if (row.accepted > member.accepted) {
    member.accepted = row.accepted;
    befall_who_stepped(member.number, Mishap::Trigger::acceptance);
  }
  if (member.views->view() > member.view) {
    member.installed += member.views->view() - member.view;
    member.view = member.views->view();
    if (network_.renewals(member.number) != member.installed) {
      invariants_.note(fmt::format("member {} is in view {} with keys of one before", member.number,
                                   member.view));
    }
    befall_who_stepped(member.number, Mishap::Trigger::installation);
  }
}

// Rounds are to take time: else no deadline ever passes while two disagree.
void ViewSimulation::note_attempt(Member& member) {
  const auto attempt = membership::Attempt::of(member.promised);
  report_.attempts = std::max<std::uint64_t>(report_.attempts, attempt.round + 1);
  const ordering::ViewLayout& layout = member.views->order().layout();
  if (member.views->view() != attempt.view || attempt.rank != layout.my_rank) return;
  const auto before = membership::Attempt::of(member.opened);
  const bool again = member.opened != 0 && before.view == attempt.view;
  const std::uint64_t now_ns = clock_.now_ns() + member.ahead_ns;
  if (again && now_ns < member.opened_ns + scenario_.patience_ns) {
    invariants_.note(
        fmt::format("I8 liveness: member {} opened round {} of view {} {} ns after its round {}, "
                    "where {} ns are "
                    "what each is to give the others",
                    member.number, attempt.round, attempt.view, now_ns - member.opened_ns,
                    before.round, scenario_.patience_ns));
  }
  member.opened = member.promised;
  member.opened_ns = now_ns;
}

void ViewSimulation::befall_who_stepped(std::uint32_t rank, Mishap::Trigger step) {
  for (auto mishap = waiting_.begin(); mishap != waiting_.end(); ++mishap) {
    if (mishap->trigger != step) continue;
    Mishap due = *mishap;
    waiting_.erase(mishap);
    due.trigger = Mishap::Trigger::time;
    due.member = rank;
    due.peers &= ~bit(rank);
    if (due.peers == 0)
      due.peers = (bit(static_cast<std::uint32_t>(members_.size())) - 1) & ~bit(rank);
    befall(due);
    return;
  }
}

void ViewSimulation::befall(const Mishap& mishap) {
  if (mishap.trigger != Mishap::Trigger::time) {
    waiting_.push_back(mishap);
    return;
  }
  Member& member = *members_[mishap.member];
  const bool about_network =
      mishap.kind == Mishap::Kind::cut || mishap.kind == Mishap::Kind::cut_out ||
      mishap.kind == Mishap::Kind::break_link || mishap.kind == Mishap::Kind::outage;
  const bool there = member.is_in() || member.comes || about_network;
  if (member.crashed || (!there && mishap.kind != Mishap::Kind::join)) return;
  const std::uint64_t until_ns = clock_.now_ns() + mishap.duration_ns;
  add(TraceKind::mishap, mishap.member, static_cast<std::uint32_t>(std::countr_zero(mishap.peers)),
      static_cast<std::uint64_t>(mishap.kind), mishap.duration_ns);
  switch (mishap.kind) {
    case Mishap::Kind::crash:
      member.crashed = true;
      network_.crash(mishap.member);
      invariants_.crashed(mishap.member);
      return;
    case Mishap::Kind::pause:
      member.next_ns = member.asleep ? until_ns : std::max(member.next_ns, until_ns);
      if (member.asleep) {
        member.asleep = false;
        member.views->woke();
      }
      return;
    case Mishap::Kind::join:
      member.comes = true;
      member.nonce = random_.next();
      member.next_ns = clock_.now_ns();
      invariants_.comes(mishap.member);
      return;
    case Mishap::Kind::leave:
      if (!member.is_in()) return;
      invariants_.leaves(mishap.member);
      member.views->leave();
      if (member.asleep) member.next_ns = clock_.now_ns();
      return;
    case Mishap::Kind::cut:
    case Mishap::Kind::cut_out:
      for (std::uint32_t peer = 0; peer < members_.size(); ++peer) {
        if ((mishap.peers & bit(peer)) == 0) continue;
        network_.cut(mishap.member, peer, until_ns);
        if (mishap.kind == Mishap::Kind::cut) network_.cut(peer, mishap.member, until_ns);
      }
      return;
    case Mishap::Kind::accuse:
      if (!member.is_in()) return;
      member.views->report_unreachable(mishap.peers);
      member.accuses_until_ns = until_ns;
      if (member.asleep) member.next_ns = clock_.now_ns();
      return;
    case Mishap::Kind::find_slow:
      if (!member.is_in()) return;
      member.views->report_slow(mishap.peers);  // in the first view, ranks are members
      if (member.asleep) member.next_ns = clock_.now_ns();
      return;
    case Mishap::Kind::jump:
      member.ahead_ns += mishap.duration_ns;
      if (member.asleep) member.next_ns = clock_.now_ns();
      return;
    case Mishap::Kind::outage:
      fail_links(mishap);
      return;
    case Mishap::Kind::break_link:
      invariants_.broken(mishap.member, static_cast<std::uint32_t>(std::countr_zero(mishap.peers)));
      network_.fail_link(mishap.member, static_cast<std::uint32_t>(std::countr_zero(mishap.peers)),
                         transports::DownReason::link_failed);
      return;
  }
}

void ViewSimulation::on_progress(std::uint64_t /*now_ns*/, std::uint32_t from, std::uint32_t to,
                                 const transports::SimLink::Progress& progress) {
  if (!progress.source_changed || members_[from]->crashed) return;
  invariants_.note(
      fmt::format("transport contract: member {} changed {} bytes it had posted to {}, "
                  "at {}, before the post was complete",
                  from, progress.bytes, to, progress.offset));
}

void ViewSimulation::add(TraceKind kind, std::uint32_t rank, std::uint32_t peer,
                         std::uint64_t first, std::uint64_t second) {
  trace_.add({clock_.now_ns(), kind, rank, peer, first, second});
}

}  // namespace lockstep::sim::inline LOCKSTEP_VARIANT
