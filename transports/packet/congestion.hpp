#pragma once

#include <algorithm>
#include <cstdint>

#include "transports/packet/mutant.hpp"
#include "transports/packet/packet.hpp"

namespace lockstep::transports::packet {

/// How many packets may be on their way. As many as the peer has room for, until some are lost:
/// then fewer, sent at even distances, and one more per round trip until the window is whole again
/// (the AIMD of RFC 5681 with the factor 0.7 of CUBIC, RFC 9438). While nothing is lost it costs a
/// comparison.
class Congestion {
 public:
  explicit Congestion(std::uint32_t credit) noexcept : credit_(credit), window_(credit) {}

  [[nodiscard]] std::uint32_t window() const noexcept {
    if (mutant(Mutant::overrun_the_credit)) return kMostOutstanding;
    return static_cast<std::uint32_t>(window_);
  }
  [[nodiscard]] bool narrowed() const noexcept { return window_ < credit_; }

  /// `transmission` was lost, and `newest` is the last that was sent: what was sent before the
  /// window became smaller does not make it smaller again.
  void lost(std::uint64_t transmission, std::uint64_t newest) noexcept {
    if (transmission <= settled_at_ || mutant(Mutant::never_slow_down)) return;
    settled_at_ = newest;
    window_ = std::max(window_ * 0.7, std::min<double>(kLeast, credit_));
  }
  void acknowledged(std::uint32_t packets) noexcept {
    if (narrowed()) window_ = std::min<double>(credit_, window_ + packets / window_);
  }

  /// The distance between packets, when they take `round_trip_ns`: 0 while nothing is lost.
  [[nodiscard]] std::uint64_t gap_ns(std::uint64_t round_trip_ns) const noexcept {
    if (!narrowed() || mutant(Mutant::never_pace)) return 0;
    return static_cast<std::uint64_t>(static_cast<double>(round_trip_ns) / window_);
  }

 private:
  static constexpr double kLeast = 4;  ///< packets: a loss is noticed by those behind it

  double credit_;
  double window_;
  std::uint64_t settled_at_ = 0;
};

}  // namespace lockstep::transports::packet
