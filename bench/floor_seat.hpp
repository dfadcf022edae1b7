#pragma once

#include <sched.h>

#include <cstdint>

namespace lockstep::bench {

/// Holds the calling thread on one CPU for the length of a floor block, and lets it go where it
/// was allowed before.
///
/// Members that are not pinned may well share a CPU, and a round trip between two threads on one
/// CPU is the price of two context switches, not of the medium: a floor far too high, beside
/// which any subject looks good. A negative CPU, or one that the system refuses, changes nothing.
class FloorSeat {
 public:
  explicit FloorSeat(std::int32_t cpu) noexcept {
    if (cpu < 0 || sched_getaffinity(0, sizeof before_, &before_) != 0) return;
    cpu_set_t seat;
    CPU_ZERO(&seat);
    CPU_SET(static_cast<std::size_t>(cpu), &seat);
    moved_ = sched_setaffinity(0, sizeof seat, &seat) == 0;
  }
  ~FloorSeat() {
    if (moved_) sched_setaffinity(0, sizeof before_, &before_);
  }
  FloorSeat(const FloorSeat&) = delete;
  FloorSeat& operator=(const FloorSeat&) = delete;

 private:
  cpu_set_t before_{};
  bool moved_ = false;
};

}  // namespace lockstep::bench
