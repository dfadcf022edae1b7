#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "transports/stream/frame_header.hpp"
#include "transports/transport.hpp"

namespace lockstep::transports::stream {

/// Turns a peer's stream into writes to the region kept for it. Takes pieces of any length, as
/// sockets and packets give them, and applies every whole word of them at once, so words are never
/// torn and a write appears from its lowest address up.
///
/// Anything may arrive: a write outside of the region ends the stream, and nothing grows.
class InboundStream {
 public:
  /// `region`: both copies, one after the other, each of `region_bytes`.
  InboundStream(std::span<std::byte> region, std::size_t region_bytes) noexcept
      : region_(region), region_bytes_(region_bytes) {}

  enum class State : std::uint8_t { open, left, broken };

  /// Applies the next piece. Bytes after the end of the stream are ignored.
  State feed(std::span<const std::byte> piece) noexcept;
  [[nodiscard]] State state() const noexcept { return state_; }

  /// Where the socket may put the next bytes itself, when only whole words of one write are due
  /// there: at least `least` bytes, else empty. `filled` says how many it put, whole words.
  [[nodiscard]] std::span<std::byte> direct(std::size_t least) const noexcept;
  void filled(std::size_t bytes) noexcept;

 private:
  /// Collects `wanted` bytes in `carry_`; false while some are missing.
  bool collect(std::span<const std::byte>& piece, std::size_t wanted) noexcept;
  void begin(const FrameHeader& header) noexcept;
  void apply_words(std::span<const std::byte>& piece) noexcept;

  std::span<std::byte> region_;
  std::size_t region_bytes_;
  std::byte* next_ = nullptr;    ///< where the current write goes on
  std::uint64_t remaining_ = 0;  ///< bytes of it; 0: a header is next
  std::array<std::byte, sizeof(FrameHeader)> carry_{};
  std::size_t carried_ = 0;
  State state_ = State::open;
};

}  // namespace lockstep::transports::stream
