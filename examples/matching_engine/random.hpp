#pragma once

#include <bit>
#include <cstdint>

#include "examples/matching_engine/order_index.hpp"

namespace lockstep::examples {

/// xoshiro256** (Blackman and Vigna, ACM TOMS 47(4), 2021), seeded by SplitMix64. The same numbers
/// on every platform, which the distributions of the standard library do not promise.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) word = scramble(seed += 0x9e3779b97f4a7c15);
  }

  std::uint64_t next() noexcept {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// 0 … bound - 1, by multiplication; biased by less than bound / 2^32.
  std::uint32_t below(std::uint32_t bound) noexcept {
    return static_cast<std::uint32_t>((next() >> 32) * bound >> 32);
  }

  /// True in one of `n` cases.
  bool one_in(std::uint32_t n) noexcept { return below(n) == 0; }

 private:
  std::uint64_t state_[4];
};

}  // namespace lockstep::examples
