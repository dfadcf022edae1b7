#ifdef LOCKSTEP_HAS_DPDK

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/partitions/child.hpp"
#include "tests/processes/group_fixture.hpp"
#include "tests/processes/own_network.hpp"
#include "tests/processes/running_group.hpp"
#include "tools/launch/local_addresses.hpp"

// DPDK that does not start, has no such device, or one that takes less: each in a process of its
// own, since DPDK starts once in one.

namespace lockstep::test {
namespace {

GroupConfig group_over(const std::string& devices) {
  GroupConfig config = group_of(2, 0, unique_name("dpdk"));
  config.transport = "dpdk";
  config.addresses = launch::local_addresses("dpdk", 2, {}).value();
  config.dpdk_devices = devices;
  config.join_timeout_ns = kSecond;
  return config;
}

/// Joining fails in each of `attempts` attempts, with all of `words` in the message.
void expect_to_fail(const GroupConfig& config, const std::vector<std::string>& words,
                    int attempts = 1) {
  auto child = launch::Child::start([&] {
    for (int i = 0; i < attempts; ++i) {
      Reactor reactor({.idle = IdlePolicy::backoff});
      Observer observer;
      const auto group = Group::join(reactor, config, observer);
      if (group) return 2;
      for (const std::string& word : words) {
        if (group.error().message.find(word) != std::string::npos) continue;
        fmt::print(stderr, "no '{}' in: {}\n", word, group.error().message);
        return 1;
      }
    }
    return 0;
  });
  ASSERT_TRUE(child) << child.error().message;
  const auto code = child->wait(60 * kSecond);
  ASSERT_TRUE(code) << code.error().message;
  EXPECT_EQ(*code, 0);
}

TEST(DpdkStart, FailsWithAReasonAndAMendAndSaysSoAgain) {
  GroupConfig config = group_over("rings:none");
  config.dpdk_eal = "--no-such-argument";
  expect_to_fail(config, {"DPDK does not start", "--no-such-argument", "group.dpdk_eal"}, 2);
}

TEST(DpdkStart, FailsWithoutTheDeviceThatIsNamed) {
  expect_to_fail(group_over("net_af_packet0,iface=nonesuch"), {"nonesuch"}, 2);
}

TEST(DpdkStart, FailsWithoutThePlugIn) {
  GroupConfig config = group_over("rings:none");
  config.dpdk_plugin = "/nonexistent/plugin.so";
  expect_to_fail(config, {"/nonexistent/plugin.so"}, 2);
}

// Packets are filled as far as they go. The kernel drops what is longer than its device takes, and
// the driver (net_af_packet) does not look.
TEST(DpdkInterface, GetsFramesOfTheLengthThatItTakes) {
  if (!may_have_own_network()) GTEST_SKIP() << "platform limit: no network of its own";
  ASSERT_TRUE(enter_own_network(1'200));
  GroupConfig config = group_of(2, 0, unique_name("mtu"));
  config.transport = "dpdk";
  config.dpdk_devices = "net_af_packet0,iface=lo";
  config.addresses = launch::local_addresses("dpdk", 2, {}).value();
  RunningGroup group;
  ASSERT_NO_FATAL_FAILURE(group.start(config, {{}}));
  ASSERT_TRUE(group.wait_for_progress({0, 1}, 5'000));
  for (const std::uint32_t member : group.everyone()) {
    EXPECT_EQ(heard(group.log(member).losses), 0U) << group.log(member).lost_reason.data();
  }
  ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 1}));
}

}  // namespace
}  // namespace lockstep::test

#endif
