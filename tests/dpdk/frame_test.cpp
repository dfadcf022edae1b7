#include "transports/dpdk/plugin/frame.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace lockstep::transports::dpdk {
namespace {

using Bytes = std::vector<std::byte>;

struct Wanted {
  const char* name;
  Encapsulation encapsulation;
  bool six;
};

Way way(std::uint8_t member, bool six) {
  Way one{.mac = {{2, 0, 0, 0, 0, member}}, .ip = {.bytes = {10, 0, 0, member}, .six = six}};
  if (six) one.ip.bytes = {0xfd, 0x78, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, member};
  one.udp_port = static_cast<std::uint16_t>(7'000 + member);
  return one;
}

class Frames : public testing::TestWithParam<Wanted> {
 protected:
  [[nodiscard]] std::size_t heads() const {
    return head_bytes(GetParam().encapsulation, GetParam().six);
  }
  [[nodiscard]] Bytes frame_of(const Bytes& packet) const {
    Bytes frame(heads() + packet.size(), std::byte{0xa5});  // as a buffer that was used before
    write_frame(frame.data(), GetParam().encapsulation, from_, to_, packet, false);
    return frame;
  }
  [[nodiscard]] auto packet_of(const Bytes& frame, const Way& to) const {
    return packet_in(frame, GetParam().encapsulation, to);
  }
  [[nodiscard]] auto packet_of(const Bytes& frame) const { return packet_of(frame, to_); }

  const Way from_ = way(1, GetParam().six);
  const Way to_ = way(2, GetParam().six);
  const Bytes packet_ = Bytes(100, std::byte{7});
};

INSTANTIATE_TEST_SUITE_P(, Frames,
                         testing::Values(Wanted{"ethernet", Encapsulation::ethernet, false},
                                         Wanted{"udp_IPv4", Encapsulation::udp, false},
                                         Wanted{"udp_IPv6", Encapsulation::udp, true}),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST_P(Frames, CarryPacketsOfEverySize) {
  std::mt19937 random(1);
  for (std::size_t bytes = 1; bytes < 3'000; bytes += 1 + bytes / 16) {
    Bytes packet(bytes);
    for (std::byte& byte : packet) byte = static_cast<std::byte>(random());
    const Bytes frame = frame_of(packet);
    const auto found = packet_of(frame);
    ASSERT_TRUE(found) << bytes;
    EXPECT_TRUE(std::ranges::equal(*found, packet)) << bytes;
  }
}

TEST_P(Frames, OfOtherKindsAreNobodys) {
  Bytes frame = frame_of(packet_);
  frame[12] ^= std::byte{1};  // the type of the frame
  EXPECT_FALSE(packet_of(frame));
}

TEST_P(Frames, CutShortGiveNoWholePacketAndAreNotReadPastTheirEnd) {
  const Bytes whole = frame_of(packet_);
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    // A block of its own: the address sanitizer sees what is read behind it.
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(bytes));
    const auto found = packet_of(cut);
    if (bytes < heads()) {
      EXPECT_FALSE(found) << bytes;
    } else if (GetParam().encapsulation == Encapsulation::ethernet) {
      EXPECT_EQ(found->size(), bytes - heads());  // whose length only the packet itself tells
    } else {
      ASSERT_TRUE(found) << bytes;  // for this member, and to be counted
      EXPECT_TRUE(found->empty()) << bytes;
    }
  }
}

class UdpFrames : public Frames {};

INSTANTIATE_TEST_SUITE_P(, UdpFrames,
                         testing::Values(Wanted{"IPv4", Encapsulation::udp, false},
                                         Wanted{"IPv6", Encapsulation::udp, true}),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST_P(UdpFrames, PaddedToTheLeastOfEthernetGiveThePacketAlone) {
  Bytes frame = frame_of({std::byte{1}, std::byte{2}});
  frame.resize(std::max<std::size_t>(frame.size(), 60));
  frame.push_back(std::byte{9});
  const auto found = packet_of(frame);
  ASSERT_TRUE(found);
  EXPECT_TRUE(std::ranges::equal(*found, Bytes{std::byte{1}, std::byte{2}}));
}

TEST_P(UdpFrames, ForAnotherAddressOrPortOrProtocolAreNobodys) {
  const Bytes frame = frame_of(packet_);
  EXPECT_FALSE(packet_of(frame, way(3, GetParam().six)));
  Way other_port = to_;
  ++other_port.udp_port;
  EXPECT_FALSE(packet_of(frame, other_port));
  Bytes tcp = frame;
  tcp[sizeof(rte_ether_hdr) +
      (GetParam().six ? offsetof(rte_ipv6_hdr, proto) : offsetof(rte_ipv4_hdr, next_proto_id))] =
      std::byte{IPPROTO_TCP};
  EXPECT_FALSE(packet_of(tcp));
}

TEST_P(UdpFrames, ThatSayAnImpossibleLengthGiveAnEmptyPacket) {
  const std::size_t at = heads() - sizeof(rte_udp_hdr) + offsetof(rte_udp_hdr, dgram_len);
  for (const unsigned length : {0U, 7U, 109U, 65'535U}) {
    Bytes frame = frame_of(packet_);
    const auto big_endian = rte_cpu_to_be_16(static_cast<std::uint16_t>(length));
    std::memcpy(frame.data() + at, &big_endian, sizeof big_endian);
    const auto found = packet_of(frame);
    ASSERT_TRUE(found) << length;
    EXPECT_TRUE(found->empty()) << length;
  }
}

/// The ones' complement sum of all 16-bit words, which comes to 0xffff where a checksum is among
/// them (RFC 1071).
unsigned sum_of(std::span<const std::byte> bytes, unsigned sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    const auto high = static_cast<unsigned>(bytes[i]);
    sum += high << 8U | (i + 1 < bytes.size() ? static_cast<unsigned>(bytes[i + 1]) : 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16U);
  return sum;
}

TEST_P(UdpFrames, HaveTheChecksumsThatRoutersAndKernelsLookAt) {
  const Bytes frame = frame_of(packet_);
  const auto ip = std::span(frame).subspan(sizeof(rte_ether_hdr));
  if (!GetParam().six) {
    EXPECT_EQ(sum_of(ip.first(sizeof(rte_ipv4_hdr))), 0xffffU);
    return;
  }
  // With the pseudo-header of RFC 8200, section 8.1: both addresses, the length, the protocol.
  const auto udp = ip.subspan(sizeof(rte_ipv6_hdr));
  const unsigned addresses = sum_of(ip.subspan(offsetof(rte_ipv6_hdr, src_addr), 32));
  EXPECT_EQ(sum_of(udp, addresses + static_cast<unsigned>(udp.size()) + IPPROTO_UDP), 0xffffU);
}

}  // namespace
}  // namespace lockstep::transports::dpdk
