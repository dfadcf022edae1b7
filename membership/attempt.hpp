#pragma once

#include <cstdint>

namespace lockstep::membership {

/// The number of an attempt to change a view: who opened it, in which round, in which view. One
/// word, so that it can be shown at once, and larger than all numbers of earlier views and rounds,
/// so that the words which carry it only grow.
struct Attempt {
  static constexpr std::uint32_t kRankBits = 6;
  static constexpr std::uint32_t kRoundBits = 26;
  static constexpr std::uint32_t kMostRounds = (1U << kRoundBits) - 1;

  std::uint64_t view = 0;  ///< 32 bits
  std::uint32_t round = 0;
  std::uint32_t rank = 0;

  [[nodiscard]] constexpr std::uint64_t number() const noexcept {
    return view << (kRankBits + kRoundBits) | std::uint64_t{round} << kRankBits | rank;
  }
  static constexpr Attempt of(std::uint64_t number) noexcept {
    return {.view = number >> (kRankBits + kRoundBits),
            .round = static_cast<std::uint32_t>(number >> kRankBits) & kMostRounds,
            .rank = static_cast<std::uint32_t>(number) & ((1U << kRankBits) - 1)};
  }
  /// What a word of a row says of `view`: nothing (0) if it was written in an earlier one.
  static constexpr std::uint64_t in_view(std::uint64_t number, std::uint64_t view) noexcept {
    return of(number).view == view ? number : 0;
  }
};

}  // namespace lockstep::membership
