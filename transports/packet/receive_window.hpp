#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "transports/packet/packet.hpp"

namespace lockstep::transports::packet {

/// Puts packets back into the order in which they were numbered, and tells which are here.
class ReceiveWindow {
 public:
  /// Memory for `credit` packets of `packet_bytes`: the peer sends no further ahead.
  ReceiveWindow(std::uint32_t credit, std::size_t packet_bytes);

  enum class Place : std::uint8_t {
    next,    ///< the one that is waited for
    early,   ///< some before it are missing
    past,    ///< was here before
    beyond,  ///< further ahead than a correct peer sends
  };
  [[nodiscard]] Place place_of(std::uint64_t sequence) const noexcept;

  /// How many are here without a gap.
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  /// The next one is here, and was used.
  void advance() noexcept { ++received_; }
  /// Keeps a copy of the body of an early one.
  void hold(std::uint64_t sequence, std::span<const std::byte> body) noexcept;
  /// The body of the next one, if it was held, until `advance`; else empty.
  [[nodiscard]] std::span<const std::byte> held() noexcept;

  /// Fills in what is here behind the next one: bit k of word w stands for packet
  /// received() + 1 + 64 w + k. Returns how many words say something.
  std::uint8_t tell_ahead(AheadWords& words) const noexcept;

 private:
  [[nodiscard]] std::byte* body(std::uint64_t sequence) noexcept {
    return memory_.get() + sequence % credit_ * body_bytes_;
  }

  const std::uint32_t credit_;
  const std::size_t body_bytes_;
  std::unique_ptr<std::byte[]> memory_;
  std::array<std::uint32_t, kMostOutstanding> held_bytes_{};  ///< by sequence; 0: not here
  std::uint32_t held_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t furthest_ = 0;  ///< one past the last that was ever held
};

}  // namespace lockstep::transports::packet
