#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "lockstep/error.hpp"

namespace lockstep::runtime {

/// What a push came to.
enum class Push : std::uint8_t {
  pushed,
  full,       ///< every slot is taken: try again after the reactor has turned
  too_large,  ///< the payload is larger than a slot
};

/// A bounded mailbox into a reactor: any number of threads push, the reactor's thread pops. All
/// memory is allocated when it is made.
///
/// Neither side blocks, allocates or makes a system call; waking a reactor that sleeps is the
/// caller's part (DESIGN §8: push, sequentially consistent fence, load `sleeping`; the sleeper
/// announces, fences, and calls `front` once more). Payloads of one thread come out in the order
/// pushed. A thread preempted inside `push` holds back what others pushed after it, so the
/// reactor sees them late, never out of order, and is itself not held up.
///
/// The queue is Dmitry Vyukov's bounded MPMC queue (1024cores.net, 2010) with one consumer: each
/// slot's sequence says whose turn it is.
class Mailbox {
 public:
  /// `slots` is rounded up to a power of two, at least 2. Errors: no_memory.
  static Expected<std::unique_ptr<Mailbox>> create(std::uint32_t slots,
                                                   std::uint32_t payload_bytes);
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// Copies `payload`. Any thread.
  Push push(std::span<const std::byte> payload, std::uint64_t token) noexcept;

  struct View {
    std::span<const std::byte> payload;  ///< in the slot, aligned to 8
    std::uint64_t token = 0;
  };
  /// The oldest message, left in place: true if there is one. `view` ends with `pop_front`.
  /// Reactor thread.
  bool front(View& view) const noexcept;

  /// Frees the slot that `front` showed. Reactor thread; asserts that there is one.
  void pop_front() noexcept;

  [[nodiscard]] std::uint32_t slots() const noexcept { return slots_; }
  [[nodiscard]] std::uint32_t payload_bytes() const noexcept { return payload_bytes_; }

 private:
  struct Slot;

  Mailbox(std::byte* memory, std::size_t stride, std::uint32_t slots,
          std::uint32_t payload_bytes) noexcept;
  [[nodiscard]] Slot& slot(std::uint64_t position) const noexcept;

  // Read by all, written by none.
  std::byte* const memory_;
  const std::size_t stride_;
  const std::uint32_t slots_;
  const std::uint32_t payload_bytes_;
  /// The position that the next push takes. Written by producers.
  alignas(64) std::atomic<std::uint64_t> next_push_{0};
  /// The position of the front. The reactor's own.
  alignas(64) std::uint64_t next_pop_ = 0;
};

}  // namespace lockstep::runtime
