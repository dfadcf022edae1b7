#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "lockstep/config.hpp"

namespace lockstep::membership {

/// Who lags too far behind for too long: what it has not taken keeps everybody's messages from
/// being stable, and in the end every ring full. All members see it in the table alike.
class Slowness {
 public:
  struct Options {
    std::uint64_t lag = 0;         ///< turns of the order; 0: nobody is ever slow
    std::uint64_t timeout_ns = 0;  ///< for how long it lags so far behind
  };
  explicit Slowness(const Options& options) noexcept : options_(options) {}

  /// `lags`: by rank, the turns that wait for each member. Called now and then; returns who became
  /// slow since the last call, a bit per rank.
  std::uint64_t look(std::span<const std::uint64_t> lags, std::uint64_t now_ns) noexcept;
  /// A view begins: ranks are others now.
  void begin_anew() noexcept;

  /// A bit per rank.
  [[nodiscard]] std::uint64_t slow() const noexcept { return slow_; }

 private:
  const Options options_;
  /// By rank. Who runs for a moment now and then catches up each time, and is slow all the same: so
  /// time behind counts up to the timeout, and time not behind counts down four times as fast.
  std::array<std::uint64_t, kMaxMembers> behind_ns_{};
  std::uint64_t looked_ns_ = 0;  ///< 0: not yet
  std::uint64_t slow_ = 0;
};

}  // namespace lockstep::membership
