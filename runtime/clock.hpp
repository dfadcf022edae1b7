#pragma once

#include <cstdint>

namespace lockstep::runtime {

/// Time as a value that is passed in: code that needs `now` takes it, or takes a Clock.
/// Nanoseconds throughout.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Monotonic, arbitrary zero. Any thread; no system call on the usual path.
  [[nodiscard]] virtual std::uint64_t now_ns() const noexcept = 0;
  /// Wall clock: ns since 1970, advancing with now_ns (fixed offset, taken once).
  [[nodiscard]] virtual std::uint64_t wall_ns() const noexcept = 0;
};

/// CLOCK_MONOTONIC at the price of reading the time-stamp counter.
///
/// Where the CPU says its counter is invariant (CPUID 80000007h EDX bit 8) and the kernel itself
/// trusts it, ticks are turned into nanoseconds by a 32.32 fixed-point multiplication. Elsewhere
/// every call is clock_gettime (a vDSO call).
///
/// The rate is measured against CLOCK_MONOTONIC once per process, by whoever makes the first
/// TscClock, which takes about 15 ms; all clocks of a process agree exactly. It is good to about
/// 2 ppm, so the clocks of two processes may drift apart by 2 us a second: do not subtract times
/// of different processes. The counter is read without a fence: two threads that synchronise with
/// each other may see times a few tens of ns out of order.
class TscClock final : public Clock {
 public:
  TscClock() noexcept;
  [[nodiscard]] std::uint64_t now_ns() const noexcept override;
  [[nodiscard]] std::uint64_t wall_ns() const noexcept override { return now_ns() + wall_offset_; }
  [[nodiscard]] bool uses_tsc() const noexcept { return uses_tsc_; }

 private:
  bool uses_tsc_ = false;
  std::uint64_t ticks_zero_ = 0;
  std::uint64_t ns_zero_ = 0;
  std::uint64_t ns_per_tick_q32_ = 0;
  std::uint64_t wall_offset_ = 0;
};

/// A clock that moves when told to: for simulations and tests.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] std::uint64_t now_ns() const noexcept override { return now_ns_; }
  [[nodiscard]] std::uint64_t wall_ns() const noexcept override { return now_ns_ + wall_offset_; }
  void set_ns(std::uint64_t now) noexcept { now_ns_ = now; }
  void set_wall_offset_ns(std::uint64_t offset) noexcept { wall_offset_ = offset; }

 private:
  std::uint64_t now_ns_ = 0;
  std::uint64_t wall_offset_ = 0;
};

}  // namespace lockstep::runtime
