#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runtime/clock.hpp"
#include "tests/partitions/partitions.hpp"
#include "tests/processes/group_fixture.hpp"
#include "tests/processes/partitioned_member.hpp"
#include "tools/launch/shared_array.hpp"

// Groups over TCP whose members are alone in a network each: bad networks cost time, never order;
// broken ones end in a report that names the other end.

namespace lockstep::test {
namespace {

/// Enough to be still under way when the network breaks: it takes 5 s at least, and a break stops
/// it, since a ring holds about a thousand messages.
constexpr Load kLastingLoad{
    .messages = kMostMessages, .pace_ns = kMillisecond, .silence_timeout_ns = 3 * kSecond};

/// Three members, each in a network of its own.
class PartitionedGroup : public testing::Test {
 protected:
  void SetUp() override {
    auto made = Partitions::create(kMembers);
    if (!made && made.error().code == ErrorCode::not_supported) {
      GTEST_SKIP() << "platform limit: " << made.error().message;
    }
    ASSERT_TRUE(made) << made.error().message;
    network_.emplace(std::move(*made));
    auto told = launch::SharedArray<Told>::create(kMembers);
    auto leave = launch::SharedArray<std::uint64_t>::create(1);
    ASSERT_TRUE(told && leave);
    told_ = std::move(*told);
    leave_ = std::move(*leave);
  }

  void start(const Load& load, IpVersion version = IpVersion::v4) {
    GroupConfig config = group_of(kMembers, 0, unique_name("partition"));
    config.transport = "tcp";
    config.ring_bytes = load.ring_bytes;
    config.heartbeat_interval_ns = kSecond / 10;
    config.silence_timeout_ns = load.silence_timeout_ns;
    for (std::uint32_t rank = 0; rank < kMembers; ++rank) {
      const std::string host = network_->address(rank, version);
      config.addresses.push_back(version == IpVersion::v4 ? host + ":7000" : "[" + host + "]:7000");
    }
    for (std::uint32_t rank = 0; rank < kMembers; ++rank) {
      config.self = config.members[rank];
      auto started = network_->start_in(
          rank, [&] { return run_member(config, load, told_[rank], leave_[0]); });
      ASSERT_TRUE(started) << started.error().message;
      members_.push_back(std::move(*started));
    }
  }

  /// Waits until each of `ranks` has told at least `value` in a word; false after `seconds`.
  bool wait_for(std::uint64_t Told::* word, std::uint64_t value,
                const std::vector<std::uint32_t>& ranks, std::uint64_t seconds) {
    const std::uint64_t deadline_ns = clock_.now_ns() + seconds * kSecond;
    const auto told = [&](std::uint32_t rank) { return heard(told_[rank].*word) >= value; };
    while (!std::ranges::all_of(ranks, told)) {
      if (clock_.now_ns() > deadline_ns) return false;
      pause(5 * kMillisecond);
    }
    return true;
  }

  static void pause(std::uint64_t ns) {
    const timespec time{static_cast<time_t>(ns / kSecond), static_cast<long>(ns % kSecond)};
    nanosleep(&time, nullptr);
  }

  /// Lets the members leave: nobody hangs, whatever became of its links.
  void expect_all_leave() {
    announce(leave_[0], 1);
    for (std::uint32_t rank = 0; rank < members_.size(); ++rank) {
      const auto code = members_[rank].wait(10 * kSecond);
      ASSERT_TRUE(code) << rank << ": " << code.error().message;
      EXPECT_EQ(*code, rank == killed_ ? 128 + SIGKILL : 0) << rank;
    }
  }

  void expect_lost(std::uint32_t at, std::uint32_t other, const std::vector<std::string>& reasons) {
    EXPECT_EQ(heard(told_[at].losses), 1u) << at;
    EXPECT_EQ(told_[at].lost_rank, other) << at;
    EXPECT_EQ(std::string(told_[at].lost_name), fmt::format("m{}", other)) << at;
    EXPECT_TRUE(std::ranges::find(reasons, told_[at].lost_reason) != reasons.end())
        << at << " says: " << told_[at].lost_reason;
    EXPECT_EQ(told_[at].refusal, 1 + static_cast<std::uint64_t>(Outcome::not_member)) << at;
  }

  /// What any two members applied is the same as far as both got, and none was changed on its way.
  void expect_one_order() {
    std::span<const std::uint64_t> longest;
    for (Told& told : told_.elements()) {
      const std::span<const std::uint64_t> order(told.order, heard(told.applied));
      if (order.size() > longest.size()) longest = order;
    }
    for (std::uint32_t rank = 0; rank < kMembers; ++rank) {
      Told& told = told_[rank];
      EXPECT_EQ(told.corrupt, 0u) << rank;
      EXPECT_TRUE(std::equal(told.order, told.order + heard(told.applied), longest.begin()))
          << rank;
    }
  }

  void expect_all_applied_and_nobody_lost(const Load& load) {
    for (std::uint32_t rank = 0; rank < kMembers; ++rank) {
      EXPECT_EQ(heard(told_[rank].applied), load.all()) << rank;
      EXPECT_EQ(heard(told_[rank].losses), 0u) << rank << " says: " << told_[rank].lost_reason;
    }
  }

  /// The faults of the tests below strike a group that is busy, and finish before its load does.
  void start_and_wait_until_busy(const Load& load) {
    start(load);
    ASSERT_TRUE(wait_for(&Told::applied, 300, everyone_, 30));
  }
  void expect_interrupted(const Load& load) {
    for (Told& told : told_.elements()) EXPECT_LT(heard(told.applied), load.all());
  }

  void expect_both_ends_to_report_a_cut_between_0_and_1();

  const std::vector<std::uint32_t> everyone_{0, 1, 2};
  const runtime::TscClock clock_;
  std::optional<Partitions> network_;
  launch::SharedArray<Told> told_;
  launch::SharedArray<std::uint64_t> leave_;
  std::vector<Child> members_;  ///< after what they use: they end first
  std::optional<std::uint32_t> killed_;
};

void PartitionedGroup::expect_both_ends_to_report_a_cut_between_0_and_1() {
  ASSERT_TRUE(wait_for(&Told::refusal, 1, {0, 1}, 20));
  const std::vector<std::string> reasons{"silent for 3.0 s", "link failed"};
  expect_lost(0, 1, reasons);
  expect_lost(1, 0, reasons);
  // It hears both, so it has nothing to report.
  EXPECT_EQ(heard(told_[2].losses), 0u) << told_[2].lost_reason;
  expect_interrupted(kLastingLoad);
  expect_all_leave();
  expect_one_order();
}

class PartitionedGroupBy : public PartitionedGroup,
                           public testing::WithParamInterface<IpVersion> {};

INSTANTIATE_TEST_SUITE_P(IpVersions, PartitionedGroupBy,
                         testing::Values(IpVersion::v4, IpVersion::v6), [](const auto& tested) {
                           return tested.param == IpVersion::v4 ? "IPv4" : "IPv6";
                         });

TEST_P(PartitionedGroupBy, OrdersAcrossNetworks) {
  const Load load{.messages = kMostMessages};
  start(load, GetParam());
  ASSERT_TRUE(wait_for(&Told::applied, load.all(), everyone_, 30));
  expect_all_applied_and_nobody_lost(load);
  expect_all_leave();
  expect_one_order();
}

TEST_F(PartitionedGroup, KeepsTheOrderThoughEveryLinkLosesPackets) {
  for (const std::uint32_t from : everyone_) {
    for (const std::uint32_t to : everyone_) {
      if (from == to) continue;
      ASSERT_TRUE(network_->lose(from, to, 10));
    }
  }
  // A small ring makes many small packets of it, each of which may be lost.
  const Load load{.messages = 300, .pace_ns = kMillisecond, .ring_bytes = 4'096};
  start(load);
  ASSERT_TRUE(wait_for(&Told::applied, load.all(), everyone_, 60));
  expect_all_applied_and_nobody_lost(load);
  expect_all_leave();
  expect_one_order();
}

TEST_F(PartitionedGroup, ALinkCutUnderLoadIsReportedByBothEnds) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait_until_busy(kLastingLoad));
  ASSERT_TRUE(network_->cut(0, 1));
  expect_both_ends_to_report_a_cut_between_0_and_1();
}

TEST_F(PartitionedGroup, ALinkCutOneWayUnderLoadIsReportedByBothEnds) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait_until_busy(kLastingLoad));
  // What 1 sends arrives, but 0 cannot acknowledge it: TCP soon sends nothing new to 0.
  ASSERT_TRUE(network_->cut_one_way(0, 1));
  expect_both_ends_to_report_a_cut_between_0_and_1();
}

TEST_F(PartitionedGroup, ACutHealedBeforeTheSilenceTimeoutLosesNothing) {
  Load load = kLastingLoad;
  load.messages = 3'000;
  load.silence_timeout_ns = 10 * kSecond;
  ASSERT_NO_FATAL_FAILURE(start_and_wait_until_busy(load));
  ASSERT_TRUE(network_->cut(0, 1));
  pause(3 * kSecond / 2);
  expect_interrupted(load);
  ASSERT_TRUE(network_->heal());
  ASSERT_TRUE(wait_for(&Told::applied, load.all(), everyone_, 30));
  expect_all_applied_and_nobody_lost(load);
  expect_all_leave();
  expect_one_order();
}

TEST_F(PartitionedGroup, AMemberKilledUnderLoadIsReportedAsDead) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait_until_busy(kLastingLoad));
  killed_ = 2;
  members_[2].kill();
  ASSERT_TRUE(wait_for(&Told::refusal, 1, {0, 1}, 20));
  expect_lost(0, 2, {"process died"});
  expect_lost(1, 2, {"process died"});
  expect_interrupted(kLastingLoad);
  expect_all_leave();
  expect_one_order();
}

}  // namespace
}  // namespace lockstep::test
