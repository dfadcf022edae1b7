#include "runtime/mailbox.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "runtime/assert.hpp"

namespace lockstep::runtime {
namespace {

constexpr std::size_t kLineBytes = 64;

}  // namespace

/// Head of a slot; the payload follows. Slots start on lines of their own, so threads that fill
/// neighbours do not disturb each other.
struct Mailbox::Slot {
  /// `position`: free for the push of that position. `position + 1`: filled by it. The pop makes
  /// it `position + slots`, the push one lap later.
  std::atomic<std::uint64_t> sequence;
  std::uint64_t token;
  std::uint64_t bytes;

  [[nodiscard]] std::byte* payload() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
};

Expected<std::unique_ptr<Mailbox>> Mailbox::create(std::uint32_t slots,
                                                   std::uint32_t payload_bytes) {
  static_assert(sizeof(Slot) == 24);
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
  constexpr std::uint32_t kMostSlots = std::uint32_t{1} << 31;
  // With one slot, "filled" and "free for the next lap" would be the same number.
  const std::uint32_t count = std::bit_ceil(std::clamp(slots, 2U, kMostSlots));
  const std::size_t stride =
      (sizeof(Slot) + payload_bytes + kLineBytes - 1) / kLineBytes * kLineBytes;
  const std::size_t bytes = stride * count;
  void* memory = ::operator new(bytes, std::align_val_t{kLineBytes}, std::nothrow);
  if (memory == nullptr) {
    return fail(ErrorCode::no_memory,
                fmt::format("a mailbox of {} slots of {} bytes needs {} bytes of memory: lower "
                            "group.mailbox_slots or group.mailbox_payload_bytes",
                            count, payload_bytes, bytes));
  }
  // Touches every page now, so that no push has to wait for the kernel.
  std::memset(memory, 0, bytes);
  return std::unique_ptr<Mailbox>(
      new Mailbox(static_cast<std::byte*>(memory), stride, count, payload_bytes));
}

Mailbox::Mailbox(std::byte* memory, std::size_t stride, std::uint32_t slots,
                 std::uint32_t payload_bytes) noexcept
    : memory_(memory), stride_(stride), slots_(slots), payload_bytes_(payload_bytes) {
  for (std::uint64_t i = 0; i < slots; ++i) {
    new (memory_ + i * stride_) Slot{.sequence = i, .token = 0, .bytes = 0};
  }
}

Mailbox::~Mailbox() { ::operator delete(memory_, std::align_val_t{kLineBytes}); }

Mailbox::Slot& Mailbox::slot(std::uint64_t position) const noexcept {
  return *std::launder(reinterpret_cast<Slot*>(memory_ + (position & (slots_ - 1)) * stride_));
}

Push Mailbox::push(std::span<const std::byte> payload, std::uint64_t token) noexcept {
  if (payload.size() > payload_bytes_) return Push::too_large;
  // Relaxed: the position only nominates a slot; the slot's sequence decides.
  std::uint64_t position = next_push_.load(std::memory_order_relaxed);
  for (;;) {
    Slot& candidate = slot(position);
    // Pairs with the release in pop_front: the reactor is done reading what we overwrite.
    const std::uint64_t sequence = candidate.sequence.load(std::memory_order_acquire);
    if (sequence == position) {
      // Relaxed: winning gives the slot to us alone; nothing is handed over by it.
      if (next_push_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
        break;
      }
    } else if (sequence < position) {
      return Push::full;
    } else {
      position = next_push_.load(std::memory_order_relaxed);
    }
  }
  Slot& ours = slot(position);
  ours.token = token;
  ours.bytes = payload.size();
  if (!payload.empty()) std::memcpy(ours.payload(), payload.data(), payload.size());
  // Pairs with the acquire in front: who sees the slot filled sees what is in it.
  ours.sequence.store(position + 1, std::memory_order_release);
  return Push::pushed;
}

bool Mailbox::front(View& view) const noexcept {
  Slot& oldest = slot(next_pop_);
  // Pairs with the release in push.
  if (oldest.sequence.load(std::memory_order_acquire) != next_pop_ + 1) return false;
  view = {.payload = {oldest.payload(), oldest.bytes}, .token = oldest.token};
  return true;
}

void Mailbox::pop_front() noexcept {
  Slot& oldest = slot(next_pop_);
  // Relaxed: front already acquired it, and nobody but us moves a filled slot on.
  LOCKSTEP_ASSERT(oldest.sequence.load(std::memory_order_relaxed) == next_pop_ + 1);
  // Pairs with the acquire in push: our reads of the payload are over.
  oldest.sequence.store(next_pop_ + slots_, std::memory_order_release);
  ++next_pop_;
}

}  // namespace lockstep::runtime
