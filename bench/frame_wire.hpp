#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "bench/session.hpp"
#include "lockstep/error.hpp"
#include "transports/dpdk/wire.hpp"

namespace lockstep::bench {

/// What a floor over DPDK goes by: bare frames between ranks 0 and 1, by a memif device that they
/// have for this alone. Memif loses nothing once both ends are there. One end; its thread only.
class FrameWire {
 public:
  /// For one purpose of one session. Blocks until the other end is there. Errors: those of
  /// load_wire; timed_out.
  static Expected<FrameWire> open(const Session& session, std::uint32_t rank,
                                  std::string_view purpose);

  [[nodiscard]] std::size_t most_bytes() const noexcept { return wire_->most_bytes(); }
  /// As Wire; of a payload of two bytes or more.
  std::byte* collect(std::size_t bytes) noexcept { return wire_->collect(bytes); }
  bool submit() noexcept { return wire_->submit(); }
  std::span<const std::byte> receive() noexcept;

 private:
  explicit FrameWire(std::unique_ptr<transports::dpdk::Wire> wire) noexcept
      : wire_(std::move(wire)) {}
  Expected<void> meet(const Session& session);
  bool say(std::byte word) noexcept;
  /// True: it was a word of the other end's, and was answered.
  bool heard(std::span<const std::byte> frame) noexcept;

  std::unique_ptr<transports::dpdk::Wire> wire_;
  bool answered_ = false;  ///< the other end has heard of this one…
  bool answers_ = false;   ///< …and will hear, before anything else, that this one has of it
};

}  // namespace lockstep::bench
