#pragma once

#include <cstddef>
#include <span>

namespace lockstep::transports {

/// A connection between a donor and a joiner, beside the links: packets in order, both ways, until
/// one side is gone. Nothing of the group's traffic goes over it, so it may be slow.
///
/// Reactor-thread only. No call blocks.
class StateChannel {
 public:
  static constexpr std::size_t kMostPacketBytes = 64 * 1024;

  virtual ~StateChannel() = default;
  /// Sends one packet, of at least one byte, whole or not at all. False: there is no room now, or
  /// the channel is closed. What was taken and did not fit goes out with later calls.
  virtual bool send(std::span<const std::byte> packet) noexcept = 0;
  /// Sends on what was taken. False: some is still here. Who says his last word needs it: if the
  /// channel ended before, the word would end in the middle.
  virtual bool flush() noexcept { return true; }
  /// The next packet; empty: there is none now. Valid until the next call.
  virtual std::span<const std::byte> receive() noexcept = 0;
  /// False once the other side is gone, or sent what is no packet, and everything that came before
  /// was received.
  [[nodiscard]] virtual bool open() const noexcept = 0;
};

}  // namespace lockstep::transports
