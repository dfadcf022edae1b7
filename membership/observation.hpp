#pragma once

#include <cstdint>
#include <vector>

#include "ordering/variant.hpp"
#include "ordering/view_order.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {

/// Shows that this member lives, and notices who no longer does.
///
/// A member counts as silent when its beat has not moved for longer than its threshold, and still
/// has not at the next look. The threshold is the timeout, or twice the longest gap seen of that
/// member lately: so somebody who was taken for silent and came back has longer, and one who hangs
/// again and again is not reported each time. What that is above the timeout is forgotten over
/// thirty-two times its length.
///
/// A member whose own loop stalled, or whose clock jumped, gives everybody that much longer instead
/// of accusing them of its own delay.
///
/// Arithmetic on the numbers it is given: no clock. Reactor-thread only; allocates when it is made.
/// The idea of thresholds from the gaps seen: Hayashibara et al., The φ accrual failure detector,
/// SRDS 2004; here with two numbers a member, and bounded.
class Observation {
 public:
  struct Options {
    std::uint64_t heartbeat_interval_ns;
    std::uint64_t silence_timeout_ns;
    /// How many timeouts a threshold can grow to: nobody is silent for longer than this, two
    /// heartbeat intervals, and what this member stalled meanwhile, without being noticed.
    std::uint32_t most_timeouts = 2;
  };

  Observation(ordering::ViewOrder& order, std::uint32_t members, std::uint32_t my_rank,
              const Options& options);

  /// Beats and looks, once per heartbeat interval; otherwise one comparison.
  void step(std::uint64_t now_ns) noexcept {
    if (now_ns >= next_ns_) [[unlikely]] {
      beat_and_look(now_ns);
    }
  }

  [[nodiscard]] std::uint64_t deadline_ns() const noexcept { return next_ns_; }

  /// True for some heartbeat intervals after this member stood still for so long that others may
  /// have found it silent, or after it heard somebody again while half of all were silent. What
  /// members say of each other is then about to be taken back, by each at a moment of its own.
  [[nodiscard]] bool in_flux(std::uint64_t now_ns) const noexcept {
    return now_ns < flux_until_ns_;
  }

  /// Who is silent, a bit per rank; taken back when a beat comes.
  [[nodiscard]] std::uint64_t silent() const noexcept { return silent_; }

 private:
  /// The time between two looks: what of it this member was there for, and what it was not.
  struct Look {
    std::uint64_t now_ns;
    std::uint64_t watched_ns;
    std::uint64_t stalled_ns;
  };

  /// What was heard of one member.
  struct Heard {
    std::uint64_t beat = 0;
    std::uint64_t at_ns = 0;  ///< when it moved, later by all own stalls since; 0: not looked yet
    std::uint64_t raise_ns = 0;  ///< of the threshold, above the timeout
    bool late = false;           ///< above the threshold, at the last look
    bool silent = false;         ///< so at two looks
  };

  void beat_and_look(std::uint64_t now_ns) noexcept;
  void look(Heard& heard, std::uint64_t beat, const Look& look) const noexcept;
  [[nodiscard]] std::uint64_t raise_after(std::uint64_t gap_ns) const noexcept;

  ordering::ViewOrder& order_;
  Options options_;
  std::uint32_t my_rank_;
  std::vector<Heard> heard_;  ///< by rank
  std::uint64_t silent_ = 0;
  std::uint64_t last_ns_ = 0;
  std::uint64_t next_ns_ = 0;
  std::uint64_t flux_until_ns_ = 0;
};

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
