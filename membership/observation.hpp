#pragma once

#include <cstdint>
#include <vector>

#include "ordering/variant.hpp"
#include "ordering/view_order.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {

/// Shows that this member lives, and notices who no longer does.
///
/// A member counts as silent when its beat has not moved for the timeout. A member whose own loop
/// stalled gives everybody that much longer, instead of accusing them of its own delay.
class Observation {
 public:
  struct Options {
    std::uint64_t heartbeat_interval_ns;
    std::uint64_t silence_timeout_ns;
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

  /// Whose beat has not moved for the timeout, a bit per rank; taken back when it moves.
  [[nodiscard]] std::uint64_t silent() const noexcept { return silent_; }

  /// Takes one silent member that was not taken before, if any.
  bool take_silent(std::uint32_t& rank) noexcept;

 private:
  void beat_and_look(std::uint64_t now_ns) noexcept;

  struct Heard {
    std::uint64_t beat = 0;
    std::uint64_t at_ns = 0;
    bool reported = false;
  };

  ordering::ViewOrder& order_;
  Options options_;
  std::uint32_t my_rank_;
  std::vector<Heard> heard_;  ///< by rank
  std::uint64_t silent_ = 0;
  std::uint64_t last_ns_ = 0;
  std::uint64_t next_ns_ = 0;
};

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
