#include <algorithm>

#include "bench/scenes.hpp"

namespace lockstep::bench {
namespace {

/// How much is published between two turns of the loop: enough to spread the cost of a turn over
/// many messages, little enough to stay in the first cache levels on the way to the peers.
constexpr std::uint64_t kBurstBytes = 32 * 1024;
constexpr std::uint64_t kMostBurst = 128;
constexpr std::uint64_t kFrameOverheadBytes = 32;

}  // namespace

ThroughputScene::ThroughputScene(Session& session, Member& member)
    : session_(session),
      member_(member),
      floor_(make_stream_floor(session, member.rank())),
      burst_(std::clamp<std::uint64_t>(
          kBurstBytes / (session.plan.options.payload_bytes + kFrameOverheadBytes), 1,
          kMostBurst)) {}

std::uint64_t ThroughputScene::send_ns() const {
  // A member that loses its CPU for a while spoils the rate of the whole block, so short blocks
  // save the median on a busy machine. Members that sleep may start half a millisecond late.
  return session_.gives_way() ? 4'500'000 : 1'500'000;
}

Expected<void> ThroughputScene::send(const Block& block) {
  std::uint64_t deadline_ns = 0;
  for (std::uint32_t turns = 1; session_.clock.now_ns() < block.end_ns; ++turns) {
    std::uint64_t sent = 0;
    for (; sent < burst_; ++sent) {
      auto published = member_.publish(0);
      if (!published) return std::unexpected(published.error());
      if (!*published) break;
    }
    if (!member_.reactor().poll_once() && sent == 0) member_.reactor().idle(Member::kMostIdleNs);
    if (turns % 256 != 0) continue;
    if (auto healthy = member_.check("a block to end", deadline_ns); !healthy) return healthy;
  }
  return {};
}

void ThroughputScene::drained(const Block& block, std::uint64_t messages,
                              std::uint64_t duration_ns) {
  if (!block.measured || member_.rank() != 0) return;
  Totals& totals = session_.totals[0];
  totals.messages += messages;
  totals.subject_ns += duration_ns;
  ++totals.blocks;
  if (block.number < kMostBlocks) {
    session_.block_subjects[block.number * session_.plan.options.members] =
        static_cast<double>(messages) / static_cast<double>(duration_ns);
  }
}

Expected<void> ThroughputScene::floor(const Block& block) {
  const auto measured = floor_->run();
  if (!measured) return std::unexpected(measured.error());
  if (!block.measured || member_.rank() != 0) return {};
  Totals& totals = session_.totals[0];
  totals.floor_messages += measured->messages;
  totals.floor_stream_ns += measured->duration_ns;
  if (block.number < kMostBlocks) {
    session_.block_floors[block.number] =
        static_cast<double>(measured->messages) / static_cast<double>(measured->duration_ns);
  }
  return {};
}

}  // namespace lockstep::bench
