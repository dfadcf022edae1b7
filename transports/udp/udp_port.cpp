#include "transports/udp/udp_port.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "transports/packet/packet.hpp"

namespace lockstep::transports {
namespace {

/// The largest packet that is taken: six frames of a kilobyte and more, where the network carries
/// it (loopback, jumbo frames); else packets are as large as the network allows.
constexpr std::size_t kMostTaken = 8'192;
/// What the kernel takes for a packet beside its bytes (struct sk_buff and the page it is in).
constexpr std::size_t kKernelOverhead = 1'280;
/// Fewer packets on their way than this are told to people.
constexpr std::uint32_t kGoodCredit = 64;
/// The IP and UDP heads (RFC 8200, RFC 791, RFC 768).
constexpr std::size_t kHeads4 = 20 + 8;
constexpr std::size_t kHeads6 = 40 + 8;

}  // namespace

struct UdpPort::There final : Destination {
  runtime::Endpoint peer;
};

UdpPort::UdpPort(const runtime::Endpoint& address, std::unique_ptr<UdpSocket> socket)
    : address_(address), socket_(std::move(socket)) {}

Expected<std::unique_ptr<UdpPort>> UdpPort::open(const runtime::Endpoint& address,
                                                 std::uint32_t peers, Notices& notices) {
  constexpr std::size_t kPerPacket = kMostTaken + kKernelOverhead;
  const std::size_t wanted = std::size_t{std::max(peers, 1U)} * packet::kMostOutstanding;
  auto socket = UdpSocket::open(address, kMostTaken, wanted * kPerPacket, notices);
  if (!socket) return std::unexpected(socket.error());
  std::unique_ptr<UdpPort> port(new UdpPort(address, std::move(*socket)));
  // The kernel counts a packet's page as well, and doubles what it is asked for (socket(7)).
  const auto packets_per_peer = [&](std::size_t bytes) {
    return bytes / (2 * kPerPacket * std::max(peers, 1U));
  };
  const std::size_t held = port->socket_->held_bytes();
  port->credit_ = static_cast<std::uint32_t>(
      std::clamp<std::size_t>(packets_per_peer(held), 4, packet::kMostOutstanding));
  if (port->credit_ < kGoodCredit) {
    notices.add(fmt::format(
        "the kernel holds {} bytes of UDP packets: room for {} from each peer; raise it with "
        "sysctl net.core.rmem_max={}",
        held, port->credit_, wanted * kPerPacket));
  }
  const std::size_t sends = port->socket_->sends_bytes();
  if (packets_per_peer(sends) < kGoodCredit) {
    notices.add(fmt::format(
        "the kernel takes {} bytes of UDP packets until the first of them has gone, and drops what "
        "is more; raise it with sysctl net.core.wmem_max={}",
        sends, wanted * kPerPacket));
  }
  return port;
}

std::string UdpPort::place() const {
  const std::uint16_t port = socket_->port();
  std::string place(sizeof port, '\0');
  std::memcpy(place.data(), &port, sizeof port);
  return place;
}

Expected<std::unique_ptr<Destination>> UdpPort::find(const std::string& host,
                                                     std::string_view place) const {
  std::uint16_t port = 0;
  if (place.size() == sizeof port) std::memcpy(&port, place.data(), sizeof port);
  if (port == 0) {
    return fail(ErrorCode::mismatch,
                "the peer says no UDP port; run one release of Lockstep on all members");
  }
  // Not asked of the socket: a peer that has died meanwhile is one that does not answer.
  runtime::Endpoint at_my_host = address_;
  runtime::set_port(at_my_host, port);
  const auto address = runtime::at_host(at_my_host, host);
  if (!address) return std::unexpected(address.error());
  auto there = std::make_unique<There>();
  there->peer = *address;
  return there;
}

std::size_t UdpPort::most_packet_bytes() const noexcept { return kMostTaken; }

/// As large as a packet may be without being cut in pieces, as far as the kernel knows.
std::size_t UdpPort::packet_bytes_to(const Destination& to) const {
  const runtime::Endpoint& peer = static_cast<const There&>(to).peer;
  const bool six = peer.family() == AF_INET6;
  const std::size_t heads = six ? kHeads6 : kHeads4;
  constexpr int kEverywhere = 1'280;  // RFC 8200, section 5
  int mtu = kEverywhere;
  const Descriptor socket(::socket(peer.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (socket.open() && ::connect(socket.get(), peer.generic(), peer.length) == 0) {
    socklen_t length = sizeof mtu;
    ::getsockopt(socket.get(), six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_MTU : IP_MTU, &mtu,
                 &length);
  }
  return std::max(packet::kLeastPacketBytes, static_cast<std::size_t>(mtu) - heads) / 8 * 8;
}

bool UdpPort::collect(std::span<const std::byte> packet, const Destination& to) noexcept {
  socket_->collect(packet, static_cast<const There&>(to).peer);
  return true;
}

std::span<const Received> UdpPort::receive() noexcept {
  const std::size_t count = socket_->receive();
  for (std::size_t i = 0; i < count; ++i) received_[i].packet = socket_->packet(i);
  more_ = count == kBatch;
  return std::span(received_).first(count);
}

}  // namespace lockstep::transports
