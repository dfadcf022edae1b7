#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "transports/hello/socket_channel.hpp"
#include "transports/sealing/link_cipher.hpp"
#include "transports/state_channel.hpp"

namespace lockstep::transports {

/// A channel whose packets only the two ends can read, and nobody can alter, leave out, add or
/// move: each is encrypted under its number, counted from 0 in each direction. One key lasts: a
/// state has fewer packets than any cipher bears. What does not open closes the channel.
///
/// Reactor-thread only. No call blocks. Allocates when made.
class SealedChannel final : public StateChannel {
 public:
  /// Errors: those of SocketChannel::create.
  static Expected<std::unique_ptr<SealedChannel>> create(Descriptor socket, const LinkKeys& keys);

  bool send(std::span<const std::byte> packet) noexcept override;
  bool flush() noexcept override { return carrier_->flush(); }
  std::span<const std::byte> receive() noexcept override;
  [[nodiscard]] bool open() const noexcept override { return !broken_ && carrier_->open(); }

 private:
  SealedChannel(std::unique_ptr<SocketChannel> carrier, const LinkKeys& keys);

  const std::unique_ptr<SocketChannel> carrier_;
  LinkCipher sending_;
  LinkCipher receiving_;
  std::vector<std::byte> sealed_;
  std::vector<std::byte> plain_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  bool broken_ = false;
};

}  // namespace lockstep::transports
