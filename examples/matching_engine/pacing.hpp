#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace lockstep::examples {

/// Monotonic, in nanoseconds.
inline std::uint64_t now_ns() noexcept {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

/// When each order is due: at the time stamp it has, `speed_up` times as fast; at once if that is
/// 0.
///
/// Open loop: an order is due whether or not those before it are through, and its latency counts
/// from that moment. So a stall shows in every order it delayed (Tene, "coordinated omission").
class Pacing {
 public:
  Pacing(std::uint64_t speed_up, std::uint64_t first_time_ns, std::uint64_t start_ns) noexcept
      : speed_up_(speed_up), first_time_ns_(first_time_ns), start_ns_(start_ns) {}

  [[nodiscard]] bool paced() const noexcept { return speed_up_ != 0; }

  /// 0 if it is not paced.
  [[nodiscard]] std::uint64_t due_ns(std::uint64_t time_ns) const noexcept {
    if (speed_up_ == 0) return 0;
    return start_ns_ + (std::max(time_ns, first_time_ns_) - first_time_ns_) / speed_up_;
  }

 private:
  std::uint64_t speed_up_;
  std::uint64_t first_time_ns_;
  std::uint64_t start_ns_;
};

}  // namespace lockstep::examples
