#pragma once

#include <cstdint>
#include <span>

namespace lockstep::runtime {

/// Work that a reactor does over and over: one group. All calls come from the reactor thread.
class Duty {
 public:
  virtual ~Duty() = default;

  /// One turn. Never blocks. True if anything was done, so that another turn is likely worth it.
  virtual bool step(std::uint64_t now_ns) = 0;

  /// Announces to whoever may bring work that this thread is about to sleep, then looks once more.
  /// False if there is work after all (then the announcement is already taken back).
  virtual bool prepare_to_sleep() noexcept = 0;

  /// Takes the announcement back.
  virtual void woke() noexcept = 0;

  /// When this duty wants a turn even if nothing happens (monotonic ns).
  [[nodiscard]] virtual std::uint64_t deadline_ns() const noexcept = 0;

  /// Descriptors that are readable when there is work. At most 80.
  [[nodiscard]] virtual std::span<const int> descriptors() const noexcept = 0;
};

}  // namespace lockstep::runtime
