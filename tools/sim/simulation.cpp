#include "tools/sim/simulation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "ordering/mutant.hpp"
#include "tools/sim/layout.hpp"
#include "tools/sim/older_epoch.hpp"
#include "tools/sim/payload.hpp"
#include "tools/sim/shown.hpp"

namespace lockstep::sim::inline LOCKSTEP_VARIANT {
namespace {

using transports::kNever;

/// A group in which nothing was published or delivered for this long, although something should
/// be, is stuck: hundreds of times the longest stall, clog and pause of a scenario together.
constexpr std::uint64_t kStuckNs = 50'000'000;
/// After the last delivery: long enough for every stall, clog and held post.
constexpr std::uint64_t kQuietNs = 5'000'000;
/// How long an idle group is watched.
constexpr std::uint64_t kIdleNs = 5 * SimMember::kBeatIntervalNs / 2;
/// After a crash survivors deliver what is stable for this long.
constexpr std::uint64_t kAftermathNs = 1'000'000;

std::uint64_t payload_seed(const Scenario& scenario, std::uint32_t rank, std::uint64_t id) {
  return transports::Random(scenario.seed ^ (std::uint64_t{rank} << 56U) ^ (id << 20U)).next();
}

}  // namespace

Simulation::Simulation(const Scenario& scenario, Trace& trace)
    : scenario_(scenario),
      trace_(trace),
      random_(scenario.seed + 1),
      network_(random_.next(), network_options(scenario), clock_),
      invariants_(scenario.network.members),
      members_(scenario.network.members) {
  if (scenario_.older_epoch) fill_with_older_epoch(scenario_, network_);
  make_members();
  network_.observe(this);
}

transports::Transport& Simulation::transport_of(std::uint32_t rank) {
  if (members_[rank].faulty) return *members_[rank].faulty;
  return network_.endpoint(rank);
}

void Simulation::make_members() {
  const std::vector<std::uint64_t> nonces = draw_nonces(scenario_, random_);
  for (std::uint32_t rank = 0; rank < member_count(); ++rank) {
    Member& member = members_[rank];
    if (scenario_.faults) {
      transports::FaultPlan plan = *scenario_.faults;
      plan.seed += rank;
      member.faulty =
          transports::FaultyTransport::wrap(network_.endpoint(rank), member_count(), plan).value();
    }
    // No two members' wall clocks agree.
    const std::uint64_t wall_offset_ns = random_.below(1'000'000);
    member.loop =
        std::make_unique<SimMember>(transport_of(rank), layout_of(scenario_, rank, nonces),
                                    SimMember::kView, *this, wall_offset_ns);
    member.next_ns = random_.below(2 * scenario_.members[rank].turn_ns);
    member.delivered.resize(member_count());
    unpublished_ += scenario_.members[rank].messages;
  }
}

// ---- the course of a run -----------------------------------------------------------------------

Report Simulation::run() {
#ifdef LOCKSTEP_MUTANTS
  ordering::at_race = [this] {
    if (scenario_.interleaved) let_bytes_arrive(100, 1'000);
  };
#endif
  run_until_delivered();
  if (crash_done_) {
    run_after_crash();
  } else {
    run_until_quiet();
    run_idle();
  }
#ifdef LOCKSTEP_MUTANTS
  ordering::at_race = nullptr;
#endif
  report_.violation = invariants_.violation();
  report_.virtual_ns = now_ns();
  return report_;
}

void Simulation::run_until_delivered() {
  while (!over() && !crash_done_ && (unpublished_ > 0 || !invariants_.complete())) {
    if (next_ns() > last_progress_ns_ + kStuckNs) {
      invariants_.time_is_up(now_ns());
      if (over()) return;
      invariants_.note(fmt::format(
          "I5 validity: all that was published is delivered, but {} messages could not be "
          "published for {} ns",
          unpublished_, kStuckNs));
      return;
    }
    advance();
  }
}

void Simulation::run_until_quiet() {
  everybody_sleeps_ = true;
  const std::uint64_t until_ns = now_ns() + kQuietNs;
  while (!over() && next_ns() <= until_ns) advance();
  for (std::uint32_t rank = 0; rank < member_count() && !over(); ++rank) {
    if (members_[rank].asleep) continue;
    invariants_.note(fmt::format(
        "idle group: everything is delivered since {} ns, and rank {} still finds work to do",
        kQuietNs, rank));
  }
}

// An idle group sends only beats, and a beat never rings a doorbell (DESIGN §5).
void Simulation::run_idle() {
  writes_seen_ = doorbells_ = 0;
  const std::uint64_t until_ns = now_ns() + kIdleNs;
  while (!over() && next_ns() <= until_ns) advance();
  if (over()) return;
  const std::uint64_t beats = (kIdleNs / SimMember::kBeatIntervalNs + 1) * member_count();
  if (writes_seen_ > beats * (member_count() - 1)) {
    invariants_.note(
        fmt::format("idle group: {} writes in {} ns, where {} beats are all there "
                    "should be",
                    writes_seen_, kIdleNs, beats));
  }
  // Under faults a beat that had to wait goes out with the next send step, and rings.
  if (doorbells_ > 0 && !scenario_.faults) {
    invariants_.note(
        fmt::format("idle group: {} sleepers were woken though nobody sent anything", doorbells_));
  }
}

void Simulation::run_after_crash() {
  while (!over() && next_ns() <= last_progress_ns_ + kAftermathNs) advance();
  for (std::uint32_t rank = 0; rank < member_count() && !over(); ++rank) {
    const bool told = (members_[rank].lost >> scenario_.crash->rank & 1U) != 0;
    // Who heard of it from another survivor may be in the next view before its own link tells.
    if (members_[rank].crashed || members_[rank].left || told) continue;
    invariants_.note(fmt::format("rank {} was not told that rank {} crashed at {} ns", rank,
                                 scenario_.crash->rank, scenario_.crash->at_ns));
  }
}

std::uint64_t Simulation::next_ns() const {
  std::uint64_t next = network_.next_event_ns();
  for (const Member& member : members_) {
    if (member.runs()) next = std::min(next, member.next_ns);
  }
  return std::max(next, now_ns());
}

void Simulation::advance() {
  network_.advance_to(next_ns());
  const bool crash_due = scenario_.crash && !crash_done_ && now_ns() >= scenario_.crash->at_ns;
  if (crash_due && !everybody_sleeps_) crash();
  for (std::uint32_t rank = 0; rank < member_count() && !over(); ++rank) {
    if (members_[rank].runs() && members_[rank].next_ns <= now_ns()) turn(rank);
  }
}

// ---- one member --------------------------------------------------------------------------------

void Simulation::turn(std::uint32_t rank) {
  Member& member = members_[rank];
  const MemberPlan& plan = scenario_.members[rank];
  if (member.asleep) wake_up(rank);
  publish_burst(rank);
  const bool busy = member.loop->step(now_ns());
  if (member.left) return;
  if (shows_more_than_it_holds(member.loop->order())) {
    invariants_.note(fmt::format("words: member {} shows more than it holds", rank));
  }
  member.refused = member.refused && !busy;
  member.next_ns = now_ns() + random_.between(plan.turn_ns / 2, 2 * plan.turn_ns);
  if (random_.chance(plan.stall_permille)) {
    member.next_ns += random_.below(plan.stall_max_ns + 1);
    trace(TraceKind::stall, rank, 0, member.next_ns);
    return;
  }
  const bool sleepy = (plan.sleeps || everybody_sleeps_) && random_.chance(300);
  if (!busy && sleepy) fall_asleep(rank);
}

void Simulation::fall_asleep(std::uint32_t rank) {
  Member& member = members_[rank];
  if (!member.loop->prepare_to_sleep()) return;
  // What a readable descriptor would say.
  const bool held = member.faulty && member.faulty->holds_posts();
  if (held || network_.is_woken(rank)) {
    member.loop->woke();
    return;
  }
  member.asleep = true;
  member.rung = false;
  member.next_ns = member.loop->deadline_ns();
  // The application's own timer, unless it waits for room in the ring.
  if (may_publish(rank) && !member.refused) {
    member.next_ns = std::min(member.next_ns, std::max(member.next_publish_ns, now_ns()));
  }
  trace(TraceKind::sleep, rank);
}

void Simulation::wake_up(std::uint32_t rank) {
  Member& member = members_[rank];
  trace(member.rung ? TraceKind::wake : TraceKind::alarm, rank);
  member.asleep = false;
  member.loop->woke();
}

bool Simulation::may_publish(std::uint32_t rank) const {
  const Member& member = members_[rank];
  return member.published < scenario_.members[rank].messages && member.loop->takes_messages();
}

void Simulation::publish_burst(std::uint32_t rank) {
  Member& member = members_[rank];
  const MemberPlan& plan = scenario_.members[rank];
  if (!may_publish(rank) || now_ns() < member.next_publish_ns) return;
  const std::uint64_t burst = random_.between(1, plan.burst);
  for (std::uint64_t i = 0; i < burst && may_publish(rank); ++i) {
    if (!publish_one(rank)) return;
  }
  member.next_publish_ns = now_ns() + random_.below(plan.pause_ns + 1);
}

bool Simulation::publish_one(std::uint32_t rank) {
  Member& member = members_[rank];
  const std::size_t bytes =
      draw_payload_bytes(scenario_, random_, member.loop->max_payload_bytes());
  std::byte* place = member.loop->claim(bytes);
  member.refused = place == nullptr;
  if (member.refused) {
    trace(TraceKind::refuse, rank);
    return false;
  }
  const std::span payload(place, bytes);
  const std::uint64_t id = member.published++;
  fill_payload(payload, payload_seed(scenario_, rank, id));
  const std::uint64_t hash = payload_hash(payload);
  member.loop->publish(id);
  --unpublished_;
  ++report_.messages;
  last_progress_ns_ = now_ns();
  trace(TraceKind::publish, rank, 0, id, bytes);
  invariants_.published(
      {.at_ns = now_ns(), .member = rank, .id = id, .bytes = bytes, .hash = hash});
  return true;
}

void Simulation::crash() {
  const std::uint32_t rank = scenario_.crash->rank;
  crash_done_ = true;
  members_[rank].crashed = true;
  trace(TraceKind::crash, rank);
  network_.crash(rank);
  invariants_.crashed(rank);
  last_progress_ns_ = now_ns();
}

void Simulation::let_bytes_arrive(std::uint32_t permille, std::uint64_t longest_ns) {
  if (random_.chance(permille)) network_.advance_to(now_ns() + random_.below(longest_ns));
}

// ---- what members and network report -----------------------------------------------------------

void Simulation::applied(std::uint32_t rank, const Message& message) {
  if (over()) return;
  Member& member = members_[rank];
  trace(TraceKind::deliver, rank, message.sender, message.sequence, message.payload.size());
  invariants_.delivered({.at_ns = now_ns(),
                         .member = rank,
                         .sequence = message.sequence,
                         .sender = message.sender,
                         .timestamp_ns = message.timestamp_ns,
                         .bytes = message.payload.size(),
                         .hash = payload_hash(message.payload),
                         .token = message.mine ? std::optional(message.token) : std::nullopt,
                         .holders = holders_of(rank, message)});
  if (message.sender < member_count()) ++member.delivered[message.sender];
  ++report_.deliveries;
  last_progress_ns_ = now_ns();

  const MemberPlan& plan = scenario_.members[rank];
  if (may_publish(rank) && random_.chance(plan.publish_in_apply_permille)) publish_one(rank);
  let_bytes_arrive(plan.slow_apply_permille, 2'000);
}

// Looks into every member's memory for the message: it lies at the same place of each copy of the
// sender's ring, until a member has delivered it.
std::uint64_t Simulation::holders_of(std::uint32_t rank, const Message& message) {
  constexpr std::size_t kTellingBytes = 16;
  if (message.sender >= member_count() || message.payload.size() < kTellingBytes) return ~0ULL;
  const std::byte* ring = members_[rank].loop->ring_of(message.sender).data();
  const auto offset = static_cast<std::size_t>(message.payload.data() - ring);
  const std::uint64_t id = members_[rank].delivered[message.sender];
  std::uint64_t holders = 0;
  for (std::uint32_t other = 0; other < member_count(); ++other) {
    bool holds =
        other == rank || other == message.sender || members_[other].delivered[message.sender] > id;
    // Survivors agree on what they hold; who crashed was not asked.
    holds = holds || (members_[other].crashed && members_[rank].loop->wedged());
    if (!holds) {
      const auto copy = members_[other].loop->ring_of(message.sender);
      holds =
          offset + message.payload.size() <= copy.size() &&
          std::memcmp(copy.data() + offset, message.payload.data(), message.payload.size()) == 0;
    }
    if (holds) holders |= std::uint64_t{1} << other;
  }
  return holders;
}

void Simulation::lost(std::uint32_t rank, std::uint32_t peer, transports::DownReason reason) {
  members_[rank].lost |= std::uint64_t{1} << peer;
  trace(TraceKind::lost, rank, peer, static_cast<std::uint64_t>(reason));
  const bool it_crashed = members_[peer].crashed && reason == transports::DownReason::peer_died;
  if (it_crashed) return;
  invariants_.note(fmt::format("rank {} reported rank {} lost ({}), but nothing was wrong with it",
                               rank, peer, transports::to_string(reason)));
}

void Simulation::left(std::uint32_t rank) {
  members_[rank].left = true;
  if (crash_done_) return;
  invariants_.note(fmt::format("rank {} left the view, but nothing was wrong with anybody", rank));
}

void Simulation::on_progress(std::uint64_t /*now_ns*/, std::uint32_t from, std::uint32_t to,
                             const transports::SimLink::Progress& progress) {
  using Kind = transports::SimLink::Progress::Kind;
  if (progress.kind == Kind::read) return;
  if (progress.kind == Kind::complete) {
    const bool matters = progress.bytes > transports::kInlineBytes;
    if (matters) trace(TraceKind::complete, from, to, progress.offset, progress.bytes);
    if (progress.source_changed && !members_[from].crashed) {
      invariants_.note(
          fmt::format("transport contract: rank {} changed {} bytes it had posted to "
                      "rank {}, at {}, before the post was complete",
                      from, progress.bytes, to, progress.offset));
    }
    return;
  }
  const bool whole = progress.kind == Kind::visible;
  writes_seen_ += whole ? 1 : 0;
  trace(whole ? TraceKind::visible : TraceKind::torn, to, from, progress.offset, progress.bytes);
}

void Simulation::on_wake(std::uint64_t /*now_ns*/, std::uint32_t rank) {
  Member& member = members_[rank];
  ++doorbells_;
  member.rung = true;
  // From the doorbell to the first turn.
  if (member.asleep) member.next_ns = std::min(member.next_ns, now_ns() + random_.below(3'000));
}

void Simulation::on_down(std::uint64_t /*now_ns*/, std::uint32_t rank, std::uint32_t peer) {
  trace(TraceKind::down, rank, peer);
}

}  // namespace lockstep::sim::inline LOCKSTEP_VARIANT
