#pragma once

#include <algorithm>
#include <cstdint>

#include "transports/packet/mutant.hpp"

namespace lockstep::transports::packet {

/// How long packets take there and back, and from that how long silence means a loss: RFC 6298 in
/// nanoseconds, without its least timer of a second.
class RoundTrip {
 public:
  /// A packet came back after `sample_ns`. More than twice of what was waited for counts as that:
  /// one of the members stood still meanwhile, and should it be the wire, the next ones say so,
  /// too.
  void take(std::uint64_t sample_ns) noexcept {
    auto sample = static_cast<double>(sample_ns);
    if (measured_ && !mutant(Mutant::trust_stalls)) sample = std::min(sample, 2 * plain_ns());
    if (!measured_) {
      measured_ = true;
      smoothed_ns_ = sample;
      deviation_ns_ = sample / 2;
      return;
    }
    const double error = sample > smoothed_ns_ ? sample - smoothed_ns_ : smoothed_ns_ - sample;
    deviation_ns_ += (error - deviation_ns_) / 4;
    smoothed_ns_ += (sample - smoothed_ns_) / 8;
  }

  [[nodiscard]] std::uint64_t smoothed_ns() const noexcept {
    return measured_ ? static_cast<std::uint64_t>(smoothed_ns_) : kFirstNs;
  }

  /// How long nothing may come back before the oldest packet is sent again, after `attempts` that
  /// brought nothing: it doubles, up to kMostNs or the plain timeout if that is longer.
  [[nodiscard]] std::uint64_t timeout_ns(std::uint32_t attempts) const noexcept {
    if (mutant(Mutant::fixed_timer)) return 200'000'000;
    // The peer may wait as long as this member would before it acknowledges.
    const auto once = static_cast<std::uint64_t>(plain_ns()) + acknowledge_within_ns();
    return std::max(once, std::min(once << std::min(attempts, 20U), kMostNs));
  }

  /// How long a packet may wait for an acknowledgement that something carries: a packet for it
  /// alone costs both sides as much as a message, and in a conversation one is soon there.
  [[nodiscard]] std::uint64_t acknowledge_within_ns() const noexcept {
    return std::clamp<std::uint64_t>(smoothed_ns() / 4, 50'000, 1'000'000);
  }

 private:
  [[nodiscard]] double plain_ns() const noexcept {
    return measured_ ? smoothed_ns_ + std::max(4 * deviation_ns_, kGrainNs)
                     : 3 * static_cast<double>(kFirstNs);
  }

  static constexpr std::uint64_t kFirstNs = 200'000;  ///< assumed until one was measured
  static constexpr double kGrainNs = 10'000;          ///< a turn of a loop with other work in it
  static constexpr std::uint64_t kMostNs = 50'000'000;

  bool measured_ = false;
  double smoothed_ns_ = 0;
  double deviation_ns_ = 0;
};

}  // namespace lockstep::transports::packet
