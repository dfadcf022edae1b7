#pragma once

#include <algorithm>
#include <cstdint>

#include "ordering/variant.hpp"

namespace lockstep::ordering::inline LOCKSTEP_VARIANT {

/// A place in the order: whose turn it is.
struct Turn {
  std::uint64_t sequence = 0;
  std::uint64_t index = 0;   ///< the sender's n-th turn
  std::uint32_t stream = 0;  ///< which sender, counted in sender order
};

/// The round-robin orderer: senders take turns, so the order needs no message of its own.
/// sequence = index × senders + sender.
///
/// An orderer answers three questions: where a frame stands in the sequence, which turn comes
/// next, and which of my turns others wait for. One with an order log of its own (a sequencer)
/// answers the second from its log.
class RoundRobin {
 public:
  explicit RoundRobin(std::uint32_t senders) noexcept : senders_(senders) {}

  [[nodiscard]] std::uint64_t sequence(std::uint64_t index, std::uint32_t stream) const noexcept {
    return index * senders_ + stream;
  }

  /// Moves to the turn after `turn`.
  void advance(Turn& turn) const noexcept {
    ++turn.sequence;
    if (++turn.stream == senders_) {
      turn.stream = 0;
      ++turn.index;
    }
  }

  /// How many turns `mine` must have taken before the frame of `other` at `index` can be
  /// delivered. A sender earlier in the round comes first at the same index.
  [[nodiscard]] static std::uint64_t turns_before(std::uint64_t index, std::uint32_t other,
                                                  std::uint32_t mine) noexcept {
    return index + (mine < other ? 1 : 0);
  }

 private:
  std::uint32_t senders_;
};

}  // namespace lockstep::ordering::inline LOCKSTEP_VARIANT
