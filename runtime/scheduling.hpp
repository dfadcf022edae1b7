#pragma once

#include <cstdint>

namespace lockstep::runtime {

/// The shortest time slice the kernel grants (sched_setattr(2), Linux 6.12).
inline constexpr std::uint64_t kShortSliceNs = 100'000;

/// Asks for short time slices for the calling thread: it then runs soon after a wake-up even where
/// another thread computes without pause, and gives away little when it yields. Its share of the
/// CPU stays the same. The EEVDF scheduler (Stoica and Abdel-Wahab, 1995) lets a waking thread
/// preempt only one of longer slices.
///
/// True if the kernel takes it; older ones take it and do nothing.
bool ask_for_short_slices() noexcept;

}  // namespace lockstep::runtime
