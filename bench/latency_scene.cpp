#include <sys/prctl.h>

#include <algorithm>

#include "bench/scenes.hpp"

namespace lockstep::bench {
namespace {

constexpr std::uint64_t kClosedLoopStride = 8;

}  // namespace

LatencyScene::LatencyScene(Session& session, Member& member)
    : session_(session), member_(member), floor_(make_ping_floor(session, member.rank())) {
  member.stamp(stamps(session));
  // By default the kernel ends sleeps up to 50 µs late (prctl(2)), and the open loop would measure
  // that and not the group.
  if (open_loop()) prctl(PR_SET_TIMERSLACK, 1UL);
}

Stamps LatencyScene::stamps(const Session& session) noexcept {
  const Plan& plan = session.plan;
  return {session.stamps.elements(), plan.options.members, plan.senders,
          plan.options.rate > 0 ? 1 : kClosedLoopStride};
}

std::uint32_t LatencyScene::senders_per_block() const {
  return open_loop() ? session_.plan.senders : 1;
}

bool LatencyScene::sends(std::uint64_t block) const {
  const std::uint32_t senders = session_.plan.senders;
  return open_loop() ? member_.rank() < senders : block % senders == member_.rank();
}

void LatencyScene::prepare(const Block& block) {
  member_.consumer().time_own(block.measured ? block_latency_.get() : nullptr);
  member_.stamp_published(block.measured);
}

Expected<void> LatencyScene::send(const Block& block) {
  return open_loop() ? follow_schedule(block) : ping(block);
}

std::uint64_t LatencyScene::samples_left(const Block& block) const noexcept {
  const Plan& plan = session_.plan;
  if (plan.options.samples == 0 || !block.measured) return ~std::uint64_t{0};
  const std::uint64_t share = (plan.options.samples + plan.senders - 1) / plan.senders;
  const std::uint64_t taken = session_.records[member_.rank()].latency.count();
  return share - std::min(share, taken);
}

bool LatencyScene::has_enough() const {
  const std::uint64_t samples = session_.plan.options.samples;
  return samples > 0 && session_.totals[0].messages >= samples;
}

Expected<void> LatencyScene::ping(const Block& block) {
  const runtime::TscClock& clock = session_.clock;
  Consumer& consumer = member_.consumer();
  std::uint64_t left = samples_left(block);
  for (std::uint64_t now_ns = clock.now_ns(); now_ns < block.end_ns && left > 0;
       now_ns = clock.now_ns()) {
    const std::uint64_t before = consumer.own_applied();
    auto published = member_.publish(now_ns);
    if (!published) return std::unexpected(published.error());
    if (!*published) {
      member_.turn();
      continue;
    }
    auto applied = member_.turn_until("a message to be delivered",
                                      [&] { return consumer.own_applied() != before; });
    if (!applied) return applied;
    --left;
  }
  return {};
}

std::uint64_t LatencyScene::due_ns(std::uint64_t k) const noexcept {
  const double senders = session_.plan.senders;
  const double interval_ns = senders / session_.plan.options.rate * 1e9;
  const double offset = static_cast<double>(member_.rank()) / senders;
  return static_cast<std::uint64_t>((static_cast<double>(k) + offset) * interval_ns);
}

Expected<void> LatencyScene::follow_schedule(const Block& block) {
  const runtime::TscClock& clock = session_.clock;
  const std::uint64_t zero_ns = block.start_ns - block.subject_elapsed_ns;
  std::uint64_t deadline_ns = 0;
  for (std::uint64_t now_ns = clock.now_ns(); now_ns < block.end_ns; now_ns = clock.now_ns()) {
    std::uint64_t due = zero_ns + due_ns(member_.published());
    while (due <= now_ns) {
      auto published = member_.publish(due);
      if (!published) return std::unexpected(published.error());
      if (!*published) break;
      due = zero_ns + due_ns(member_.published());
    }
    if (!member_.reactor().poll_once()) await_due(due, now_ns, block.end_ns);
    if (auto healthy = member_.check("a block to end", deadline_ns); !healthy) return healthy;
  }
  return {};
}

void LatencyScene::await_due(std::uint64_t due_ns, std::uint64_t now_ns, std::uint64_t end_ns) {
  // Shorter than it takes to fall asleep and wake up: the loop turns on.
  constexpr std::uint64_t kNotWorthSleepingNs = 5'000;
  const std::uint64_t next_ns = std::min({due_ns, end_ns, now_ns + Member::kMostIdleNs});
  if (next_ns > now_ns + kNotWorthSleepingNs) member_.reactor().idle(next_ns - now_ns);
}

void LatencyScene::drained(const Block& block, std::uint64_t messages, std::uint64_t duration_ns) {
  member_.consumer().time_own(nullptr);
  if (!block.measured) return;
  const std::uint64_t members = session_.plan.options.members;
  if (block_latency_->count() > 0) {
    if (block.number < kMostBlocks) {
      session_.block_subjects[block.number * members + member_.rank()] =
          static_cast<double>(block_latency_->percentile(50));
    }
    session_.records[member_.rank()].latency.merge(*block_latency_);
    block_latency_->clear();
  }
  if (member_.rank() != 0) return;
  Totals& totals = session_.totals[0];
  totals.messages += messages;
  totals.subject_ns += duration_ns;
  ++totals.blocks;
}

Expected<void> LatencyScene::floor(const Block& block) {
  if (member_.rank() == 1) return floor_->echo();
  block_floor_->clear();
  const auto complete = floor_->measure(
      block.measured ? PingFloor::kRoundTrips : PingFloor::kWarmUpRoundTrips, *block_floor_);
  if (!complete) return std::unexpected(complete.error());
  if (!block.measured) return {};
  Totals& totals = session_.totals[0];
  totals.floor.merge(*block_floor_);
  if (!*complete) {
    ++totals.cut_blocks;
  } else if (block.number < kMostBlocks) {
    session_.block_floors[block.number] = static_cast<double>(block_floor_->percentile(50));
  }
  return {};
}

void LatencyScene::finished(std::uint64_t subject_elapsed_ns) {
  if (!open_loop() || member_.rank() >= session_.plan.senders) return;
  // Messages that were due and never sent waited at least until now. Leaving them out would be
  // the omission that the open loop is there to avoid.
  constexpr std::uint64_t kMost = 10'000'000;
  launch::Histogram& latency = session_.records[member_.rank()].latency;
  for (std::uint64_t k = member_.published(); k < member_.published() + kMost; ++k) {
    const std::uint64_t due = due_ns(k);
    if (due >= subject_elapsed_ns) break;
    latency.record(subject_elapsed_ns - due);
  }
}

}  // namespace lockstep::bench
