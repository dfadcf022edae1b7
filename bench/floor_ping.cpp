#include "bench/floor_ping.hpp"

#include <algorithm>
#include <atomic>

#include "bench/payload.hpp"

namespace lockstep::bench {
namespace {

constexpr std::size_t kLine = 64;
/// Between the slots, so that no prefetcher joins them.
constexpr std::size_t kGap = 4'096;

/// A flag is its number, which never repeats, times two, plus one on the last of a block.
constexpr std::uint64_t kLast = 1;

std::size_t slot_bytes(std::uint64_t payload_bytes) noexcept {
  return (std::max<std::size_t>(payload_bytes, kLine) + 7) / 8 * 8;
}

std::size_t stride(std::uint64_t payload_bytes) noexcept {
  return (slot_bytes(payload_bytes) + kGap - 1) / kGap * kGap + kGap;
}

std::atomic_ref<std::uint64_t> flag_of(std::span<std::byte> slot) noexcept {
  return std::atomic_ref(*reinterpret_cast<std::uint64_t*>(slot.data()));
}

}  // namespace

std::size_t FloorPing::memory_bytes(std::uint64_t payload_bytes) noexcept {
  return 2 * stride(payload_bytes);
}

FloorPing::FloorPing(std::span<std::byte> memory, std::uint64_t payload_bytes,
                     const runtime::TscClock& clock, bool gives_way) noexcept
    : PingFloor(payload_bytes),
      there_(memory.subspan(0, slot_bytes(payload_bytes))),
      back_(memory.subspan(stride(payload_bytes), slot_bytes(payload_bytes))),
      clock_(clock),
      patience_(clock, gives_way) {}

void FloorPing::send(std::span<std::byte> slot, std::uint64_t flag) noexcept {
  fill(slot.subspan(8), flag);
  // Pairs with the acquire in `receive`.
  flag_of(slot).store(flag, std::memory_order_release);
}

std::uint64_t FloorPing::receive(std::span<std::byte> slot, std::uint64_t number) noexcept {
  patience_.renew();
  const auto flag = flag_of(slot);
  std::uint64_t found = flag.load(std::memory_order_acquire);
  while (found / 2 != number) {
    if (!patience_.wait()) return 0;
    found = flag.load(std::memory_order_acquire);
  }
  consumed_ += sum(slot.subspan(8));
  // The compiler must believe that somebody looks at the sum.
  asm volatile("" : : "r"(consumed_));
  return found;
}

Expected<bool> FloorPing::measure(std::uint64_t round_trips, std::uint64_t timeout_ns,
                                  launch::Histogram& histogram) {
  // The first ones find the other side, which may be asleep still, and warm the lines.
  constexpr std::uint64_t kUntimed = 32;
  std::uint64_t now_ns = clock_.now_ns();
  std::uint64_t deadline_ns = now_ns + timeout_ns;
  for (std::uint64_t i = 0;; ++i) {
    const bool all = i == kUntimed + round_trips;
    const std::uint64_t last = all || now_ns > deadline_ns ? kLast : 0;
    ++number_;
    const std::uint64_t sent_ns = clock_.now_ns();
    send(there_, number_ * 2 + last);
    if (receive(back_, number_) == 0) return silent_pair();
    now_ns = clock_.now_ns();
    if (last != 0) return all;
    if (i == 0) deadline_ns = now_ns + timeout_ns;
    if (i >= kUntimed) histogram.record(now_ns - sent_ns);
  }
}

Expected<void> FloorPing::echo() {
  for (std::uint64_t flag = 0; (flag & kLast) == 0;) {
    ++number_;
    flag = receive(there_, number_);
    if (flag == 0) return silent_pair();
    send(back_, number_ * 2);
  }
  return {};
}

}  // namespace lockstep::bench
