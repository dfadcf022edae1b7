#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/partitions/make_network.hpp"
#include "tests/partitions/partitions.hpp"
#include "tests/processes/group_fixture.hpp"
#include "tests/processes/ledger_group.hpp"
#include "tests/processes/running_group.hpp"

// Groups over TCP whose members are alone in a network each: bad networks cost time, never order;
// broken ones cost a member, and the others go on.

namespace lockstep::test {
namespace {

constexpr std::uint32_t kMembers = 3;

/// Each member publishes a thousand messages a second, at most.
constexpr Load kLoad{.pace_ns = kMillisecond};

/// By what members are connected.
struct Wanted {
  const char* transport;
  IpVersion version;
};

/// Three members, each in a network of its own.
class PartitionedGroup : public testing::TestWithParam<Wanted> {
 protected:
  void SetUp() override { make_network(kMembers, network_); }

  GroupConfig config_for() const {
    const IpVersion version = GetParam().version;
    GroupConfig config = group_of(kMembers, 0, unique_name("partition"));
    config.transport = GetParam().transport;
    if (config.transport == "dpdk") config.dpdk_devices = "net_af_packet0,iface=link0";
    for (std::uint32_t rank = 0; rank < kMembers; ++rank) {
      const std::string host = network_->address(rank, version);
      config.addresses.push_back(version == IpVersion::v4 ? host + ":7000" : "[" + host + "]:7000");
    }
    return config;
  }
  RunningGroup::Start in_its_network() {
    return [&](std::uint32_t member, const std::function<int()>& body) {
      return network_->start_in(member, body);
    };
  }

  void start(const Load& load, std::uint64_t ring_bytes = 1 << 16,
             std::uint64_t silence_timeout_ns = 2 * kSecond) {
    GroupConfig config = config_for();
    config.ring_bytes = ring_bytes;
    config.silence_timeout_ns = silence_timeout_ns;
    ASSERT_NO_FATAL_FAILURE(group_.start(config, {load}, in_its_network()));
  }

  /// The faults of the tests below strike a group that is busy.
  void start_and_wait_until_busy() {
    ASSERT_NO_FATAL_FAILURE(start(kLoad));
    ASSERT_TRUE(group_.wait_for_progress(group_.everyone(), 300));
  }

  void expect_nobody_lost() {
    for (const std::uint32_t member : group_.everyone()) {
      EXPECT_EQ(heard(group_.log(member).view), 1u) << member;
      EXPECT_EQ(heard(group_.log(member).losses), 0u) << group_.log(member).lost_reason.data();
    }
  }

  void expect_a_cut_between_0_and_1_to_cost_1();
  void expect_the_others_to_go_on_without(std::uint32_t alone);

  std::optional<Partitions> network_;
  RunningGroup group_;  ///< after the networks: members end first
};

/// One broken link costs one member, the higher rank; it hears of it from the third.
void PartitionedGroup::expect_a_cut_between_0_and_1_to_cost_1() {
  ASSERT_TRUE(group_.wait_for_view({0, 2}));
  ASSERT_TRUE(group_.wait_until([&] { return heard(group_.log(1).evictions) == 1; }));
  // Each misses the other, unless it hears first what the other thinks of it.
  EXPECT_EQ(group_.log(0).last_lost & ~mask_of({1}), 0u);
  EXPECT_EQ(group_.log(1).last_lost & ~mask_of({0}), 0u);
  // It heard both, so it had nothing to report.
  EXPECT_EQ(heard(group_.log(2).losses), 0u) << group_.log(2).lost_reason.data();
  ASSERT_TRUE(group_.wait_for_progress({0, 2}, 300));
  ASSERT_NO_FATAL_FAILURE(group_.expect_to_settle({0, 2}));
}

std::string name_of(const testing::TestParamInfo<Wanted>& tested) {
  return std::string(tested.param.transport) +
         (tested.param.version == IpVersion::v4 ? "_IPv4" : "_IPv6");
}

class PartitionedGroupBy : public PartitionedGroup {};

INSTANTIATE_TEST_SUITE_P(Media, PartitionedGroup,
                         testing::Values(Wanted{"tcp", IpVersion::v4},
                                         Wanted{"udp", IpVersion::v4}),
                         name_of);
#ifdef LOCKSTEP_HAS_DPDK
// Over packet sockets on the interfaces that the partitions cut.
INSTANTIATE_TEST_SUITE_P(Packets, PartitionedGroup, testing::Values(Wanted{"dpdk", IpVersion::v4}),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Packets, PartitionedGroupBy,
                         testing::Values(Wanted{"dpdk", IpVersion::v4},
                                         Wanted{"dpdk", IpVersion::v6}),
                         name_of);
#endif
INSTANTIATE_TEST_SUITE_P(Media, PartitionedGroupBy,
                         testing::Values(Wanted{"tcp", IpVersion::v4}, Wanted{"tcp", IpVersion::v6},
                                         Wanted{"udp", IpVersion::v4},
                                         Wanted{"udp", IpVersion::v6}),
                         name_of);

TEST_P(PartitionedGroupBy, OrdersAcrossNetworks) {
  start({.messages = 5'000});
  ASSERT_TRUE(group_.wait_for_progress(group_.everyone(), kMembers * 5'000));
  expect_nobody_lost();
  ASSERT_NO_FATAL_FAILURE(group_.expect_to_settle({0, 1, 2}));
}

TEST_P(PartitionedGroup, KeepsTheOrderThoughEveryLinkLosesPackets) {
  for (const std::uint32_t from : {0U, 1U, 2U}) {
    for (const std::uint32_t to : {0U, 1U, 2U}) {
      if (from == to) continue;
      ASSERT_TRUE(network_->lose(from, to, 10));
    }
  }
  // A small ring makes many small packets of it, each of which may be lost. One that is lost four
  // times in a row is a silence of three seconds.
  start({.messages = 300, .pace_ns = kMillisecond}, 4'096, 60 * kSecond);
  ASSERT_TRUE(group_.wait_for_progress(group_.everyone(), kMembers * 300, 60));
  expect_nobody_lost();
  ASSERT_NO_FATAL_FAILURE(group_.expect_to_settle({0, 1, 2}));
}

TEST_P(PartitionedGroup, ALinkCutUnderLoadCostsOneMember) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait_until_busy());
  ASSERT_TRUE(network_->cut(0, 1));
  expect_a_cut_between_0_and_1_to_cost_1();
}

TEST_P(PartitionedGroup, ALinkCutOneWayUnderLoadCostsOneMember) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait_until_busy());
  // What 1 sends arrives, but 0 cannot acknowledge it: TCP soon sends nothing new to 0.
  ASSERT_TRUE(network_->cut_one_way(0, 1));
  expect_a_cut_between_0_and_1_to_cost_1();
}

void PartitionedGroup::expect_the_others_to_go_on_without(std::uint32_t alone) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait_until_busy());
  std::vector<std::uint32_t> others = group_.everyone();
  std::erase(others, alone);
  const std::vector<std::uint32_t> side{alone};
  ASSERT_TRUE(network_->separate(side));
  ASSERT_TRUE(group_.wait_for_view(others));
  ASSERT_TRUE(group_.wait_until([&] { return heard(group_.log(alone).quorums_lost) == 1; }));
  const std::uint64_t delivered = heard(group_.log(alone).delivered);
  ASSERT_TRUE(group_.wait_for_progress(others, 300));
  EXPECT_EQ(heard(group_.log(alone).delivered), delivered);
  EXPECT_EQ(heard(group_.log(alone).view), 1u);
  ASSERT_NO_FATAL_FAILURE(group_.expect_to_settle(others));
}

TEST_P(PartitionedGroup, TheMajorityGoesOnAndTheMinorityWaits) {
  expect_the_others_to_go_on_without(2);
}

TEST_P(PartitionedGroup, TheMajorityGoesOnThoughItLacksTheFirstMember) {
  expect_the_others_to_go_on_without(0);
}

TEST_P(PartitionedGroup, ACutHealedBeforeTheSilenceTimeoutLosesNothing) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait_until_busy());
  ASSERT_TRUE(network_->cut(0, 1));
  pause_ns(kSecond);
  ASSERT_TRUE(network_->heal());
  ASSERT_TRUE(group_.wait_for_progress(group_.everyone(), 300));
  expect_nobody_lost();
  ASSERT_NO_FATAL_FAILURE(group_.expect_to_settle({0, 1, 2}));
}

TEST_P(PartitionedGroup, AMemberKilledUnderLoadIsReportedAsDead) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait_until_busy());
  group_.kill(2);
  ASSERT_TRUE(group_.wait_for_view({0, 1}));
  for (const std::uint32_t member : {0U, 1U}) {
    EXPECT_EQ(group_.log(member).last_lost & ~mask_of({2}), 0u);
    if (heard(group_.log(member).losses) == 0) continue;  // it heard of it from the other
    EXPECT_EQ(std::string(group_.log(member).lost_reason.data()), "process died");
  }
  ASSERT_TRUE(group_.wait_for_progress({0, 1}, 300));
  ASSERT_NO_FATAL_FAILURE(group_.expect_to_settle({0, 1}));
}

/// The port vanishes under load, for good: for its member that is being alone.
TEST_P(PartitionedGroup, AMemberWhoseInterfaceIsRemovedWaitsAndTheOthersGoOn) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait_until_busy());
  ASSERT_TRUE(network_->network_of(2).ip("link del link0\n"));
  ASSERT_TRUE(group_.wait_for_view({0, 1}));
  ASSERT_TRUE(group_.wait_until([&] { return heard(group_.log(2).quorums_lost) >= 1; }));
  ASSERT_TRUE(group_.wait_for_progress({0, 1}, 300));
  ASSERT_NO_FATAL_FAILURE(group_.expect_to_settle({0, 1}));
}

// Alone, it is told nothing: when it hears the others again it asks, and comes back.
TEST_P(PartitionedGroup, WhoWasAloneComesBackWhenThePartitionHeals) {
  for (const std::uint32_t alone : {2U, 0U}) {
    std::vector<std::uint32_t> others{0, 1, 2};
    std::erase(others, alone);
    LedgerGroup group(config_for(), {.ballast_bytes = 10'000}, in_its_network());
    ASSERT_TRUE(group.start_all({0, 1, 2}));
    ASSERT_TRUE(network_->separate(std::vector<std::uint32_t>{alone}));
    ASSERT_TRUE(group.wait_for(others)) << alone;
    ASSERT_TRUE(group.wait_until([&] { return group.words(alone).quorums_lost == 1; }));
    // Longer than the others keep what would tell it.
    pause_ns(3 * kSecond);
    ASSERT_TRUE(network_->heal());
    ASSERT_TRUE(group.wait_until([&] { return group.words(alone).evictions == 1; })) << alone;
    ASSERT_TRUE(group.wait_for({0, 1, 2})) << alone;
    ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 1, 2}));
  }
}

// Nobody has a quorum, and TCP gives every connection up: none of them comes back by itself.
TEST_P(PartitionedGroup, AllWhoWereAloneGoOnWhenTheNetworkIsBack) {
  GroupConfig config = config_for();
  config.silence_timeout_ns = kSecond;
  LedgerGroup group(config, {.ballast_bytes = 10'000}, in_its_network());
  ASSERT_TRUE(group.start_all({0, 1, 2}));
  for (const std::uint32_t from : {0U, 1U, 2U}) {
    for (std::uint32_t to = 0; to < from; ++to) ASSERT_TRUE(network_->cut(from, to));
  }
  for (const std::uint32_t member : {0U, 1U, 2U}) {
    ASSERT_TRUE(group.wait_until([&] { return group.words(member).quorums_lost == 1; })) << member;
  }
  pause_ns(8 * kSecond);  // the connections are given up after five
  const std::uint64_t applied = heard(group.words(0).applied);
  ASSERT_TRUE(network_->heal());
  ASSERT_TRUE(group.wait_until([&] { return heard(group.words(0).applied) > applied; }));
  ASSERT_TRUE(group.wait_for({0, 1, 2}));
  EXPECT_GE(group.words(0).view, 2u) << "a link that broke ends in a view";
  ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 1, 2}));
}

}  // namespace
}  // namespace lockstep::test
