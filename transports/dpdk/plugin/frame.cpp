#include "transports/dpdk/plugin/frame.hpp"

#include <cstring>

namespace lockstep::transports::dpdk {
namespace {

constexpr std::size_t kEther = sizeof(rte_ether_hdr);
constexpr std::size_t kIpv4 = sizeof(rte_ipv4_hdr);
constexpr std::size_t kIpv6 = sizeof(rte_ipv6_hdr);
constexpr std::size_t kUdp = sizeof(rte_udp_hdr);
constexpr std::uint8_t kHops = 64;

std::uint16_t ether_type_of(Encapsulation encapsulation, bool six) noexcept {
  if (encapsulation == Encapsulation::ethernet) return kEtherType;
  return six ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4;
}

/// As it travels.
rte_be32_t ipv4_of(const Way& way) noexcept {
  rte_be32_t address = 0;
  std::memcpy(&address, way.ip.bytes.data(), sizeof address);
  return address;
}

void write_ipv4(std::byte* place, const Way& from, const Way& to, std::size_t bytes,
                bool by_card) noexcept {
  rte_ipv4_hdr ip{};
  ip.version_ihl = RTE_IPV4_VHL_DEF;
  ip.total_length = rte_cpu_to_be_16(static_cast<std::uint16_t>(kIpv4 + kUdp + bytes));
  ip.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG);
  ip.time_to_live = kHops;
  ip.next_proto_id = IPPROTO_UDP;
  ip.src_addr = ipv4_of(from);
  ip.dst_addr = ipv4_of(to);
  if (!by_card) ip.hdr_checksum = rte_ipv4_cksum(&ip);
  std::memcpy(place, &ip, sizeof ip);
}

void write_ipv6(std::byte* place, const Way& from, const Way& to, std::size_t bytes) noexcept {
  rte_ipv6_hdr ip{};
  ip.vtc_flow = rte_cpu_to_be_32(6U << 28U);
  ip.payload_len = rte_cpu_to_be_16(static_cast<std::uint16_t>(kUdp + bytes));
  ip.proto = IPPROTO_UDP;
  ip.hop_limits = kHops;
  std::memcpy(ip.src_addr, from.ip.bytes.data(), sizeof ip.src_addr);
  std::memcpy(ip.dst_addr, to.ip.bytes.data(), sizeof ip.dst_addr);
  std::memcpy(place, &ip, sizeof ip);
}

/// IPv4 may go without a checksum of UDP (RFC 768), IPv6 may not (RFC 8200, section 8.1).
void write_udp(std::byte* place, const Way& from, const Way& to, std::size_t bytes,
               const rte_ipv6_hdr* six) noexcept {
  rte_udp_hdr udp{};
  udp.src_port = rte_cpu_to_be_16(from.udp_port);
  udp.dst_port = rte_cpu_to_be_16(to.udp_port);
  udp.dgram_len = rte_cpu_to_be_16(static_cast<std::uint16_t>(kUdp + bytes));
  std::memcpy(place, &udp, sizeof udp);
  if (six == nullptr) return;
  udp.dgram_cksum = rte_ipv6_udptcp_cksum(six, place);
  std::memcpy(place, &udp, sizeof udp);
}

std::optional<std::span<const std::byte>> behind_udp(std::span<const std::byte> rest,
                                                     const Way& to) noexcept {
  rte_udp_hdr udp;
  if (rest.size() < sizeof udp) return std::nullopt;
  std::memcpy(&udp, rest.data(), sizeof udp);
  const std::size_t bytes = rte_be_to_cpu_16(udp.dgram_len);
  if (rte_be_to_cpu_16(udp.dst_port) != to.udp_port) return std::nullopt;
  if (bytes < kUdp || bytes > rest.size()) return rest.subspan(kUdp, 0);
  // A short frame is padded by who sends it.
  return rest.first(bytes).subspan(kUdp);
}

}  // namespace

std::size_t head_bytes(Encapsulation encapsulation, bool six) noexcept {
  if (encapsulation == Encapsulation::ethernet) return kEther;
  return kEther + (six ? kIpv6 : kIpv4) + kUdp;
}

void write_frame(std::byte* place, Encapsulation encapsulation, const Way& from, const Way& to,
                 std::span<const std::byte> packet, bool by_card) noexcept {
  const std::size_t bytes = packet.size();
  // First: the checksum of UDP is over it as well.
  std::memcpy(place + head_bytes(encapsulation, to.ip.six), packet.data(), bytes);
  rte_ether_hdr ether{};
  ether.dst_addr = to.mac;
  ether.src_addr = from.mac;
  ether.ether_type = rte_cpu_to_be_16(ether_type_of(encapsulation, to.ip.six));
  std::memcpy(place, &ether, sizeof ether);
  if (encapsulation == Encapsulation::ethernet) return;
  std::byte* const ip = place + kEther;
  if (!to.ip.six) {
    write_ipv4(ip, from, to, bytes, by_card);
    write_udp(ip + kIpv4, from, to, bytes, nullptr);
    return;
  }
  write_ipv6(ip, from, to, bytes);
  rte_ipv6_hdr head;
  std::memcpy(&head, ip, sizeof head);
  write_udp(ip + kIpv6, from, to, bytes, &head);
}

std::optional<std::span<const std::byte>> packet_in(std::span<const std::byte> frame,
                                                    Encapsulation encapsulation,
                                                    const Way& to) noexcept {
  rte_ether_hdr ether;
  if (frame.size() < sizeof ether) return std::nullopt;
  std::memcpy(&ether, frame.data(), sizeof ether);
  if (ether.ether_type != rte_cpu_to_be_16(ether_type_of(encapsulation, to.ip.six))) {
    return std::nullopt;
  }
  const auto rest = frame.subspan(sizeof ether);
  if (encapsulation == Encapsulation::ethernet) return rest;
  if (to.ip.six) {
    rte_ipv6_hdr ip;
    if (rest.size() < sizeof ip) return std::nullopt;
    std::memcpy(&ip, rest.data(), sizeof ip);
    const bool ours = ip.proto == IPPROTO_UDP &&
                      std::memcmp(ip.dst_addr, to.ip.bytes.data(), sizeof ip.dst_addr) == 0;
    return ours ? behind_udp(rest.subspan(sizeof ip), to) : std::nullopt;
  }
  rte_ipv4_hdr ip;
  if (rest.size() < sizeof ip) return std::nullopt;
  std::memcpy(&ip, rest.data(), sizeof ip);
  const bool ours = ip.version_ihl == RTE_IPV4_VHL_DEF && ip.next_proto_id == IPPROTO_UDP &&
                    ip.dst_addr == ipv4_of(to);
  return ours ? behind_udp(rest.subspan(sizeof ip), to) : std::nullopt;
}

}  // namespace lockstep::transports::dpdk
