#pragma once

#include <cstdint>

#include "runtime/assert.hpp"

namespace lockstep::transports {

/// A stream of numbers that one seed fixes, the same with every compiler and library: what the
/// simulated network, the fault decorator and the simulation driver draw from.
///
/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014).
/// One thread; never for secrets.
class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) noexcept : state_(seed) {}

  constexpr std::uint64_t next() noexcept {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }

  /// 0 … bound − 1. `bound` is at least 1.
  constexpr std::uint64_t below(std::uint64_t bound) noexcept {
    LOCKSTEP_ASSERT(bound > 0);
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64U);
  }

  /// low … high, both included.
  constexpr std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept {
    LOCKSTEP_ASSERT(low <= high);
    return low + below(high - low + 1);
  }

  /// True `permille` times in a thousand.
  constexpr bool chance(std::uint32_t permille) noexcept { return below(1'000) < permille; }

  /// A stream of its own, so that drawing more from one does not move the other.
  constexpr Random split() noexcept { return Random(next()); }

 private:
  std::uint64_t state_;
};

}  // namespace lockstep::transports
