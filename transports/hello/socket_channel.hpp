#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lockstep/error.hpp"
#include "transports/hello/descriptor.hpp"
#include "transports/state_channel.hpp"

namespace lockstep::transports {

/// A StateChannel over a connected socket, of bytes (TCP) or of packets (unix sockets of shm).
/// Every packet goes with its length before it, on both. Memory is two packets, allocated at the
/// beginning.
///
/// Reactor-thread only. No call blocks or raises SIGPIPE; each is one or two system calls.
class SocketChannel final : public StateChannel {
 public:
  /// `beside`: by how much packets may be longer here than elsewhere, for whoever seals them.
  /// Errors: not_supported (a socket of another type), system.
  static Expected<std::unique_ptr<SocketChannel>> create(Descriptor socket, std::size_t beside = 0);

  bool send(std::span<const std::byte> packet) noexcept override;
  bool flush() noexcept override;
  std::span<const std::byte> receive() noexcept override;
  [[nodiscard]] bool open() const noexcept override { return !ended_; }

  /// For the reactor's wait: readable when `receive` is worth a call, writable when `flush` is, if
  /// something is `sending`.
  [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }
  [[nodiscard]] bool sending() const noexcept { return sent_ < to_send_.size(); }

 private:
  using Length = std::uint32_t;

  SocketChannel(Descriptor socket, bool stream, std::size_t most_bytes);
  std::span<const std::byte> receive_from_stream() noexcept;
  std::span<const std::byte> receive_packet() noexcept;
  /// Reads more of a stream, until `received_` holds `bytes`. False: not all is there yet.
  bool read_up_to(std::size_t bytes) noexcept;
  /// After a read that gave no bytes: nothing now, or the end.
  void nothing_read(std::ptrdiff_t result) noexcept;
  [[nodiscard]] Length length() const noexcept;

  Descriptor socket_;
  bool stream_;
  std::size_t most_bytes_;  ///< of a packet
  bool mute_ = false;   ///< the other side hears no more; what it said before is still to be read
  bool ended_ = false;  ///< and nothing is left to be read

  std::vector<std::byte> to_send_;  ///< what is left of the frame that was sent last
  std::size_t sent_ = 0;            ///< of it

  /// A frame, and the length of the next: what comes with one read.
  std::vector<std::byte> memory_;
  std::size_t received_ = 0;  ///< bytes in it
  std::size_t given_ = 0;     ///< of them, the frame that `receive` returned last
};

}  // namespace lockstep::transports
