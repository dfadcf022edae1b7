#pragma once

#include <sched.h>

#include <cstdint>

#include "lockstep/error.hpp"
#include "runtime/clock.hpp"

namespace lockstep::bench {

/// How the raw floors wait for a word another member writes: one `wait` per fruitless look.
///
/// A waiter whose other side sits on another CPU only spins, even if it shares its own: to a newer
/// kernel a yield is the end of one's time slice, and the subject block that follows would pay for
/// it. On one CPU both must give way. Everyone stops waiting after `kSilenceNs`. As long as nobody
/// waits for long the clock is never read, so the floor stays bare.
class Patience {
 public:
  static constexpr std::uint64_t kSilenceNs = 10'000'000'000;

  Patience(const runtime::TscClock& clock, bool gives_way) noexcept
      : clock_(clock), gives_way_(gives_way) {}

  /// A new wait begins.
  void renew() noexcept {
    spins_ = 0;
    deadline_ns_ = 0;
  }

  /// False once the wait has lasted too long.
  bool wait() noexcept {
    if (++spins_ % kSpins != 0) return true;
    if (gives_way_) sched_yield();
    const std::uint64_t now_ns = clock_.now_ns();
    if (deadline_ns_ == 0) deadline_ns_ = now_ns + kSilenceNs;
    return now_ns < deadline_ns_;
  }

 private:
  /// Each a load of a line in the own cache and a branch: about a nanosecond.
  static constexpr std::uint32_t kSpins = 2'048;

  const runtime::TscClock& clock_;
  bool gives_way_;
  std::uint32_t spins_ = 0;
  std::uint64_t deadline_ns_ = 0;
};

/// What a floor says when `wait` returned false.
inline std::unexpected<Error> silent_pair() {
  return fail(ErrorCode::timed_out, "the other member of the floor's pair was silent for 10 s");
}

}  // namespace lockstep::bench
