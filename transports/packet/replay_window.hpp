#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "transports/packet/mutant.hpp"

namespace lockstep::transports::packet {

/// Which transmissions of one kind have come: a packet that comes once more, doubled on its way or
/// played back by somebody, is told from those that are new. One that is older than the last
/// kRemembered counts as come. After RFC 4303, section 3.4.3.
class ReplayWindow {
 public:
  static constexpr std::uint64_t kRemembered = 1'024;

  [[nodiscard]] bool has_come(std::uint64_t transmission) const noexcept {
    if (mutant(Mutant::take_replays)) return false;
    if (transmission > newest_) return false;
    if (newest_ - transmission >= kRemembered) return true;
    return (word(transmission) >> transmission % 64 & 1U) != 0;
  }

  /// It has come now, and was sound.
  void come(std::uint64_t transmission) noexcept {
    if (transmission > newest_) {
      // Words between the two stand for what has not come.
      const std::uint64_t first = newest_ / 64 + 1;
      const std::uint64_t last = transmission / 64;
      for (std::uint64_t i = first; i <= last && i < first + words_.size(); ++i) {
        words_[i % words_.size()] = 0;
      }
      newest_ = transmission;
    } else if (newest_ - transmission >= kRemembered) {
      return;
    }
    words_[transmission / 64 % words_.size()] |= std::uint64_t{1} << transmission % 64;
  }

 private:
  [[nodiscard]] std::uint64_t word(std::uint64_t transmission) const noexcept {
    return words_[transmission / 64 % words_.size()];
  }

  std::array<std::uint64_t, kRemembered / 64 + 1> words_{};  ///< one more: the window moves by bits
  std::uint64_t newest_ = 0;
};

}  // namespace lockstep::transports::packet
