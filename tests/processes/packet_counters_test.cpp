#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <optional>
#include <string>

#include "runtime/endpoint.hpp"
#include "tests/partitions/child.hpp"
#include "tests/processes/group_fixture.hpp"
#include "tests/processes/medium.hpp"
#include "tests/processes/member_log.hpp"
#include "tools/launch/shared_array.hpp"
#include "transports/hello/descriptor.hpp"

namespace lockstep::test {
namespace {

constexpr std::uint64_t kStrange = 20;
constexpr std::array<char, 100> kPacket{};

struct Wanted {
  const char* name;
  Medium medium;
  const char* encapsulation;
};

/// To the port of a member, from where nobody of the group is.
void send_strange_packets(const GroupConfig& config) {
  const transports::Descriptor stranger(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto member = runtime::parse_endpoint(config.addresses[0]).value();
  for (std::uint64_t i = 0; i < kStrange; ++i) {
    ASSERT_GT(::sendto(stranger.get(), kPacket.data(), kPacket.size(), 0, member.generic(),
                       member.length),
              0);
  }
}

/// Of the type that members send, by the device that they are on.
void send_strange_frames() {
  const transports::Descriptor stranger(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_ll everybody{};
  everybody.sll_family = AF_PACKET;
  everybody.sll_protocol = htons(0x88b5);
  everybody.sll_ifindex = static_cast<int>(::if_nametoindex("lo"));
  everybody.sll_halen = 6;
  std::memset(everybody.sll_addr, 0xff, 6);
  for (std::uint64_t i = 0; i < kStrange; ++i) {
    ASSERT_GT(::sendto(stranger.get(), kPacket.data(), kPacket.size(), 0,
                       reinterpret_cast<const sockaddr*>(&everybody), sizeof everybody),
              0);
  }
}

class StrangersPackets : public testing::TestWithParam<Wanted> {};

INSTANTIATE_TEST_SUITE_P(Media, StrangersPackets,
                         testing::Values(Wanted{"udp", Medium::udp, ""},
                                         Wanted{"dpdk_ethernet", Medium::dpdk, "ethernet"},
                                         Wanted{"dpdk_udp", Medium::dpdk, "udp"}),
                         [](const auto& tested) { return std::string(tested.param.name); });

// They change nothing, and whoever watches the member sees that they came.
TEST_P(StrangersPackets, AreCountedAndChangeNothing) {
  const Medium medium = GetParam().medium;
  if (const std::string why = missing(medium); !why.empty()) {
    GTEST_SKIP() << "platform limit: " << why;
  }
  auto log = launch::SharedArray<MemberLog>::create(1);
  auto orders = launch::SharedArray<Orders>::create(1);
  ASSERT_TRUE(log && orders);
  GroupConfig config = group_of(2, 0, unique_name("packets"));
  connect_by(medium, config);
  if (medium == Medium::dpdk) config.dpdk_encapsulation = GetParam().encapsulation;
  auto other = Child::start([&, config]() mutable {
    config.self = config.members[1];
    return run_logging_member(config, {.messages = 0}, (*log)[0], (*orders)[0]);
  });
  ASSERT_TRUE(other) << other.error().message;
  const std::string file = testing::TempDir() + unique_name("lockstep-counters");
  Reactor reactor({.idle = IdlePolicy::backoff, .counters_file = file});
  Observer observer;
  auto group = Group::join(reactor, config, observer);
  ASSERT_TRUE(group) << group.error().message;

  const bool bare = GetParam().encapsulation == std::string("ethernet");
  ASSERT_NO_FATAL_FAILURE(bare ? send_strange_frames() : send_strange_packets(config));
  // More, where the other member was faster and spoke before this one had its link.
  EXPECT_TRUE(turn_until(reactor, [&] { return counted(file, ".packets.rejected") >= kStrange; }));
  EXPECT_TRUE(turn_until(reactor, [&] { return counted(file, ".packets.received") > 0; }));
  EXPECT_EQ(observer.losses, 0U);
  announce((*orders)[0].end, 1);
}

// A medium that repeats and orders by itself has no packets to count.
TEST(PacketCounters, AreNotThereWithoutPackets) {
  const std::string file = testing::TempDir() + unique_name("lockstep-counters");
  Reactor reactor({.idle = IdlePolicy::backoff, .counters_file = file});
  Observer observer;
  auto group = Group::join(reactor, group_of(1, 0, unique_name("alone")), observer);
  ASSERT_TRUE(group) << group.error().message;
  const auto readings = read_counters(file);
  ASSERT_TRUE(readings) << readings.error().message;
  for (const CounterReading& reading : *readings) {
    EXPECT_EQ(reading.name.find(".packets."), std::string::npos) << reading.name;
  }
}

}  // namespace
}  // namespace lockstep::test
