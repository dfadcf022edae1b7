#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
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

// A stranger's packets change nothing, and whoever watches the member sees that they came.
TEST(PacketCounters, TellOfStrangersPackets) {
  constexpr std::uint64_t kStrange = 20;
  auto log = launch::SharedArray<MemberLog>::create(1);
  auto orders = launch::SharedArray<Orders>::create(1);
  ASSERT_TRUE(log && orders);
  GroupConfig config = group_of(2, 0, unique_name("packets"));
  connect_by(Medium::udp, config);
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

  const transports::Descriptor stranger(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto member = runtime::parse_endpoint(config.addresses[0]).value();
  const std::array<char, 100> packet{};
  for (std::uint64_t i = 0; i < kStrange; ++i) {
    ASSERT_GT(
        ::sendto(stranger.get(), packet.data(), packet.size(), 0, member.generic(), member.length),
        0);
  }
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
