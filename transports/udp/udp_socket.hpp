#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "lockstep/error.hpp"
#include "runtime/endpoint.hpp"
#include "transports/hello/descriptor.hpp"
#include "transports/notices.hpp"

namespace lockstep::transports {

/// One UDP socket for all peers. What is to be sent is collected and goes with one sendmmsg(2), in
/// which packets of one size for one peer are one message that the kernel, or the card, cuts
/// (UDP_SEGMENT, udp(7)): up to 65 000 bytes pass through the kernel at once, not packet by packet.
/// What is there comes with one recvmmsg(2), or with one recv(2) while packets come singly: an
/// empty look is the most frequent call of a reactor that spins.
///
/// The reactor's thread only; nothing blocks or allocates after `open`.
class UdpSocket {
 public:
  /// Bound to the address and port of `mine`, or to any port of that address if that one is taken
  /// (with a notice). Takes packets of at most `packet_bytes`. Asks the kernel to hold
  /// `wanted_bytes` of packets that were not yet looked at; `held_bytes` is what it granted.
  /// Errors: system.
  static Expected<std::unique_ptr<UdpSocket>> open(const runtime::Endpoint& mine,
                                                   std::size_t packet_bytes,
                                                   std::size_t wanted_bytes, Notices& notices);

  [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] std::size_t held_bytes() const noexcept { return held_bytes_; }
  /// What it takes of packets that are not on their way yet.
  [[nodiscard]] std::size_t sends_bytes() const noexcept { return sends_bytes_; }

  /// Collects one packet; sends what was collected before if there is no room. Neither the bytes
  /// nor the address may change until `submit`.
  void collect(std::span<const std::byte> packet, const runtime::Endpoint& to) noexcept;
  /// Sends what was collected. What the kernel does not take is lost, as on the wire.
  void submit() noexcept;

  static constexpr std::size_t kBatch = 32;
  /// Takes packets that are there; how many, at most kBatch.
  std::size_t receive() noexcept;
  /// One of them, until the next `receive`.
  [[nodiscard]] std::span<const std::byte> packet(std::size_t i) const noexcept {
    return {buffer_.get() + i * packet_bytes_, in_[i].msg_len};
  }

 private:
  UdpSocket(Descriptor socket, std::size_t packet_bytes);
  /// Makes messages of what was collected from `first` on; how many.
  std::size_t make_messages(std::size_t first) noexcept;
  /// How many packets from `first` on can be one message.
  [[nodiscard]] std::size_t alike(std::size_t first) const noexcept;

  Descriptor socket_;
  std::size_t packet_bytes_;
  std::uint16_t port_ = 0;
  std::size_t held_bytes_ = 0;
  std::size_t sends_bytes_ = 0;
  bool came_in_numbers_ = false;      ///< more than one packet, the last time
  bool cuts_ = true;                  ///< the kernel can cut a message into packets
  std::size_t one_by_one_until_ = 0;  ///< of those collected
  std::size_t collected_ = 0;
  std::array<iovec, kBatch> out_pieces_{};
  std::array<const runtime::Endpoint*, kBatch> out_to_{};
  struct alignas(cmsghdr) Cut {
    std::array<std::byte, CMSG_SPACE(sizeof(std::uint16_t))> bytes{};
  };
  std::array<Cut, kBatch> cuts_of_{};
  std::array<mmsghdr, kBatch> out_{};
  std::array<iovec, kBatch> in_pieces_{};
  std::array<mmsghdr, kBatch> in_{};
  std::unique_ptr<std::byte[]> buffer_;
};

}  // namespace lockstep::transports
