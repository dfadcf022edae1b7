#include "bench/floor_stream.hpp"

#include <algorithm>
#include <atomic>
#include <bit>

namespace lockstep::bench {
namespace {

constexpr std::size_t kFlagBytes = 8;
/// The consumer's word lies alone, in front of the slots.
constexpr std::size_t kHeadBytes = 256;
/// Measured: faster than smaller rings by a third where two CPUs share a cache, no slower
/// elsewhere.
constexpr std::size_t kRingBytes = 1024 * 1024;
constexpr std::uint64_t kFewestSlots = 16;
/// Messages per turn between writing and reading.
constexpr std::uint64_t kTurn = 32;

std::size_t stride_of(std::uint64_t payload_bytes) noexcept {
  return kFlagBytes + (payload_bytes + 7) / 8 * 8;
}

std::uint64_t slots_of(std::uint64_t payload_bytes) noexcept {
  return std::max<std::uint64_t>(std::bit_floor(kRingBytes / stride_of(payload_bytes)),
                                 kFewestSlots);
}

std::atomic_ref<std::uint64_t> word(void* address) noexcept {
  return std::atomic_ref(*static_cast<std::uint64_t*>(address));
}

}  // namespace

std::size_t FloorStream::memory_bytes(std::uint64_t payload_bytes) noexcept {
  return kHeadBytes + slots_of(payload_bytes) * stride_of(payload_bytes);
}

FloorStream::FloorStream(std::span<std::byte> memory, std::uint64_t payload_bytes) noexcept
    : slots_(memory.subspan(kHeadBytes)),
      consumed_(reinterpret_cast<std::uint64_t*>(memory.data())),
      payload_bytes_(payload_bytes),
      stride_(stride_of(payload_bytes)),
      mask_(slots_of(payload_bytes) - 1) {}

std::uint64_t FloorStream::produce(std::uint64_t limit) noexcept {
  // Pairs with the release in `consume`: the slots up to there have been read.
  if (next_ + limit > consumed_seen_ + mask_ + 1) {
    consumed_seen_ = word(consumed_).load(std::memory_order_acquire);
  }
  const std::uint64_t end = std::min(next_ + limit, consumed_seen_ + mask_ + 1);
  const std::uint64_t count = end - next_;
  for (; next_ < end; ++next_) {
    std::byte* const to = slot(next_);
    fill({to + kFlagBytes, payload_bytes_}, next_);
    // Pairs with the acquire in `consume`.
    word(to).store(next_ + 1, std::memory_order_release);
  }
  return count;
}

std::uint64_t FloorStream::consume(std::uint64_t limit) noexcept {
  const std::uint64_t first = next_;
  for (; next_ < first + limit; ++next_) {
    std::byte* const from = slot(next_);
    if (word(from).load(std::memory_order_acquire) != next_ + 1) break;
    digest_.add(next_, 0, sum({from + kFlagBytes, payload_bytes_}));
  }
  if (next_ - consumed_seen_ > mask_ / 4) {
    word(consumed_).store(next_, std::memory_order_release);
    consumed_seen_ = next_;
  }
  return next_ - first;
}

Expected<void> run_stream(FloorStream& out, FloorStream& in, const StreamBlock& block,
                          const runtime::TscClock& clock, bool gives_way) {
  Patience patience(clock, gives_way);
  std::uint64_t to_send = block.send;
  std::uint64_t to_receive = block.receive;
  while (to_send + to_receive > 0) {
    const std::uint64_t sent = to_send > 0 ? out.produce(std::min(kTurn, to_send)) : 0;
    const std::uint64_t received = to_receive > 0 ? in.consume(std::min(kTurn, to_receive)) : 0;
    to_send -= sent;
    to_receive -= received;
    if (sent + received > 0) {
      patience.renew();
    } else if (!patience.wait()) {
      return silent_pair();
    }
  }
  return {};
}

std::uint64_t stream_block_messages(std::uint64_t payload_bytes) noexcept {
  constexpr std::uint64_t kMost = 20'000;
  constexpr std::uint64_t kFewest = 100;
  constexpr std::uint64_t kBytes = 3 << 20;
  return std::clamp(kBytes / stride_of(payload_bytes), kFewest, kMost);
}

}  // namespace lockstep::bench
