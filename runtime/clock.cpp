#include "runtime/clock.hpp"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <string_view>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

namespace lockstep::runtime {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
/// How long to watch both clocks. Each end is known to about 20 ns, so the rate to about 2 ppm.
constexpr std::uint64_t kCalibrationNs = 15'000'000;
/// Readings per end; the tightest one counts, so an interrupt in the middle does no harm.
constexpr int kReadings = 16;

std::uint64_t kernel_ns(clockid_t id) noexcept {
  timespec now{};
  ::clock_gettime(id, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kNsPerSecond +
         static_cast<std::uint64_t>(now.tv_nsec);
}

struct Calibration {
  bool usable = false;
  std::uint64_t ticks_zero = 0;
  std::uint64_t ns_zero = 0;
  std::uint64_t ns_per_tick_q32 = 0;
  std::uint64_t wall_offset = 0;
};

std::uint64_t wall_offset() noexcept {
  const std::uint64_t before = kernel_ns(CLOCK_MONOTONIC);
  const std::uint64_t wall = kernel_ns(CLOCK_REALTIME);
  const std::uint64_t after = kernel_ns(CLOCK_MONOTONIC);
  return wall - (before + (after - before) / 2);
}

#if defined(__x86_64__)

/// Intel SDM vol. 3B §18.17.1, AMD APM vol. 2 §13.2.4: the counter runs at a constant rate in all
/// power states.
bool counter_is_invariant() noexcept {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid(0x80000007U, &eax, &ebx, &ecx, &edx) == 0) return false;
  return (edx & (1U << 8)) != 0;
}

/// The kernel watches the counters of all CPUs against each other and leaves "tsc" when they
/// disagree; it knows more than CPUID does.
bool kernel_trusts_counter() noexcept {
  const int file = ::open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                          O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  char text[32];
  const ssize_t got = ::read(file, text, sizeof text);
  ::close(file);
  return got > 0 && std::string_view(text, static_cast<std::size_t>(got)) == "tsc\n";
}

struct Reading {
  std::uint64_t ticks;
  std::uint64_t ns;
};

Reading read_both() noexcept {
  Reading best{};
  std::uint64_t narrowest = std::numeric_limits<std::uint64_t>::max();
  for (int i = 0; i < kReadings; ++i) {
    const std::uint64_t before = __rdtsc();
    const std::uint64_t ns = kernel_ns(CLOCK_MONOTONIC);
    const std::uint64_t after = __rdtsc();
    if (after - before < narrowest) {
      narrowest = after - before;
      best = {before + narrowest / 2, ns};
    }
  }
  return best;
}

Calibration calibrate() noexcept {
  Calibration result;
  result.wall_offset = wall_offset();
  if (!counter_is_invariant() || !kernel_trusts_counter()) return result;
  const Reading start = read_both();
  const timespec pause{0, static_cast<long>(kCalibrationNs)};
  ::nanosleep(&pause, nullptr);
  const Reading end = read_both();
  // A signal may have cut the sleep short; a rate taken over less is not worth having.
  if (end.ns < start.ns + kCalibrationNs / 2 || end.ticks <= start.ticks) return result;
  const auto elapsed_q32 = static_cast<unsigned __int128>(end.ns - start.ns) << 32;
  result.ns_per_tick_q32 = static_cast<std::uint64_t>(elapsed_q32 / (end.ticks - start.ticks));
  result.ticks_zero = start.ticks;
  result.ns_zero = start.ns;
  result.usable = result.ns_per_tick_q32 != 0;
  return result;
}

std::uint64_t ticks() noexcept { return __rdtsc(); }

#else

Calibration calibrate() noexcept { return {.wall_offset = wall_offset()}; }

std::uint64_t ticks() noexcept { return 0; }

#endif

}  // namespace

TscClock::TscClock() noexcept {
  static const Calibration calibration = calibrate();
  uses_tsc_ = calibration.usable;
  ticks_zero_ = calibration.ticks_zero;
  ns_zero_ = calibration.ns_zero;
  ns_per_tick_q32_ = calibration.ns_per_tick_q32;
  wall_offset_ = calibration.wall_offset;
}

std::uint64_t TscClock::now_ns() const noexcept {
  if (!uses_tsc_) return kernel_ns(CLOCK_MONOTONIC);
  // A CPU whose counter lags by a few ticks must not turn into a leap of centuries.
  const std::uint64_t elapsed = std::max(ticks(), ticks_zero_) - ticks_zero_;
  const auto product = static_cast<unsigned __int128>(elapsed) * ns_per_tick_q32_;
  return ns_zero_ + static_cast<std::uint64_t>(product >> 32);
}

}  // namespace lockstep::runtime
