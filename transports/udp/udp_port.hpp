#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "lockstep/error.hpp"
#include "runtime/endpoint.hpp"
#include "transports/datagrams/port.hpp"
#include "transports/notices.hpp"
#include "transports/udp/udp_socket.hpp"

namespace lockstep::transports {

/// UDP, by the calls of kernel sockets: one socket for all peers. A peer is found at the host of
/// its control connection, at the port that it says.
class UdpPort final : public Port {
 public:
  /// At `address`, for as many `peers`. Errors: system.
  static Expected<std::unique_ptr<UdpPort>> open(const runtime::Endpoint& address,
                                                 std::uint32_t peers, Notices& notices);

  [[nodiscard]] Medium medium() const noexcept override { return Medium::udp; }
  [[nodiscard]] std::string place() const override;
  Expected<std::unique_ptr<Destination>> find(const std::string& host,
                                              std::string_view place) const override;
  [[nodiscard]] std::size_t packet_bytes_to(const Destination& to) const override;
  [[nodiscard]] std::size_t most_packet_bytes() const noexcept override;
  [[nodiscard]] std::uint32_t credit() const noexcept override { return credit_; }
  bool collect(std::span<const std::byte> packet, const Destination& to) noexcept override;
  void submit() noexcept override { socket_->submit(); }
  std::span<const Received> receive() noexcept override;
  [[nodiscard]] bool more() const noexcept override { return more_; }
  [[nodiscard]] int descriptor() const noexcept override { return socket_->descriptor(); }

 private:
  struct There;

  UdpPort(const runtime::Endpoint& address, std::unique_ptr<UdpSocket> socket);

  const runtime::Endpoint address_;
  const std::unique_ptr<UdpSocket> socket_;
  std::uint32_t credit_ = 0;
  bool more_ = false;
  std::array<Received, kBatch> received_{};
};

}  // namespace lockstep::transports
