#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <vector>

#include "tests/processes/group_fixture.hpp"
#include "tests/processes/medium.hpp"
#include "tests/processes/running_group.hpp"

// Processes that are killed, stopped and sent away while they publish: the others go on in a new
// view, and nothing that anybody saw is lost, doubled or reordered.

namespace lockstep::test {
namespace {

/// Each member publishes a thousand messages a second, at most.
constexpr Load kLoad{.pace_ns = kMillisecond};

class Views : public testing::TestWithParam<Medium> {
 protected:
  void SetUp() override {
    const std::string lack = missing(GetParam());
    if (!lack.empty()) GTEST_SKIP() << "platform limit: " << lack;
  }

  static GroupConfig new_group(std::uint32_t members) {
    GroupConfig config = group_of(members, 0, unique_name("views"));
    connect_by(GetParam(), config);
    return config;
  }

  void start(const GroupConfig& config, const std::vector<Load>& loads = {kLoad}) {
    ASSERT_NO_FATAL_FAILURE(group_.start(config, loads));
    ASSERT_TRUE(group_.wait_for_progress(group_.everyone(), 100));
  }

  RunningGroup group_;
};

TEST_P(Views, GoOnWithoutAKilledMemberWhateverItsRank) {
  for (const std::uint32_t victim : {0U, 1U, 2U}) {
    RunningGroup group;
    ASSERT_NO_FATAL_FAILURE(group.start(new_group(3), {kLoad}));
    ASSERT_TRUE(group.wait_for_progress(group.everyone(), 100));
    std::vector<std::uint32_t> survivors = group.everyone();
    std::erase(survivors, victim);
    group.kill(victim);
    ASSERT_TRUE(group.wait_for_view(survivors)) << victim;
    for (const std::uint32_t survivor : survivors) {
      // Unless it heard of it from the other first.
      if (heard(group.log(survivor).losses) > 0) {
        EXPECT_EQ(group.log(survivor).lost, victim);
        EXPECT_EQ(std::string(group.log(survivor).lost_reason.data()), "process died");
      }
      EXPECT_EQ(heard(group.log(survivor).quorums_lost), 0u) << survivor;
      EXPECT_EQ(heard(group.log(survivor).evictions), 0u) << survivor;
    }
    ASSERT_TRUE(group.wait_for_progress(survivors, 100)) << victim;
    ASSERT_NO_FATAL_FAILURE(group.expect_to_settle(survivors));
  }
}

TEST_P(Views, GoOnWithoutTwoOfFiveKilledAtOnce) {
  ASSERT_NO_FATAL_FAILURE(start(new_group(5)));
  group_.kill(0);
  group_.kill(3);
  ASSERT_TRUE(group_.wait_for_view({1, 2, 4}));
  ASSERT_TRUE(group_.wait_for_progress({1, 2, 4}, 100));
  ASSERT_NO_FATAL_FAILURE(group_.expect_to_settle({1, 2, 4}));
}

// The second dies at some moment of the change that the first one's death began.
TEST_P(Views, GoOnThoughAnotherMemberDiesDuringTheChange) {
  for (std::uint64_t delay_ns = 0; delay_ns < 1'500'000; delay_ns += 300'000) {
    RunningGroup group;
    ASSERT_NO_FATAL_FAILURE(group.start(new_group(5), {kLoad}));
    ASSERT_TRUE(group.wait_for_progress(group.everyone(), 50));
    group.signal(4, SIGKILL);
    pause_ns(delay_ns);
    group.signal(0, SIGKILL);
    group.kill(4);
    group.kill(0);
    ASSERT_TRUE(group.wait_for_view({1, 2, 3})) << delay_ns;
    ASSERT_TRUE(group.wait_for_progress({1, 2, 3}, 50)) << delay_ns;
    ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({1, 2, 3}));
  }
}

TEST_P(Views, ShrinkOneByOneDownToTheLastMember) {
  ASSERT_NO_FATAL_FAILURE(start(new_group(5)));
  std::vector<std::uint32_t> survivors = group_.everyone();
  for (const std::uint32_t victim : {1U, 0U, 4U, 3U}) {
    std::erase(survivors, victim);
    group_.kill(victim);
    ASSERT_TRUE(group_.wait_for_view(survivors)) << victim;
    ASSERT_TRUE(group_.wait_for_progress(survivors, 50)) << victim;
  }
  ASSERT_NO_FATAL_FAILURE(group_.expect_to_settle({2}));
}

TEST_P(Views, OfTwoMembersSurviveTheLossOfTheSecondOnly) {
  ASSERT_NO_FATAL_FAILURE(start(new_group(2)));
  group_.kill(1);
  ASSERT_TRUE(group_.wait_for_view({0}));
  ASSERT_TRUE(group_.wait_for_progress({0}, 50));
  ASSERT_NO_FATAL_FAILURE(group_.expect_to_settle({0}));

  RunningGroup other;
  ASSERT_NO_FATAL_FAILURE(other.start(new_group(2), {kLoad}));
  ASSERT_TRUE(other.wait_for_progress({0, 1}, 50));
  other.kill(0);
  MemberLog& left = other.log(1);
  ASSERT_TRUE(other.wait_until([&] { return heard(left.quorums_lost) == 1; }));
  const std::uint64_t wedged = 1 + static_cast<std::uint64_t>(Outcome::wedged);
  ASSERT_TRUE(other.wait_until([&] { return heard(left.refusal) == wedged; }));
  EXPECT_EQ(heard(left.view), 1u);
  EXPECT_EQ(heard(left.evictions), 0u);
  ASSERT_NO_FATAL_FAILURE(other.end_and_judge());
}

TEST_P(Views, OutliveTheirOnlySender) {
  GroupConfig config = new_group(3);
  config.senders = {"m1"};
  ASSERT_NO_FATAL_FAILURE(start(config));
  group_.kill(1);
  ASSERT_TRUE(group_.wait_for_view({0, 2}));
  const std::uint64_t refused = 1 + static_cast<std::uint64_t>(Outcome::not_sender);
  EXPECT_TRUE(group_.wait_until([&] { return heard(group_.log(0).refusal) == refused; }));
  ASSERT_NO_FATAL_FAILURE(group_.expect_to_settle({0, 2}));
}

TEST_P(Views, AreLeftInGoodOrderUntilOneMemberRemains) {
  std::vector<Load> loads(4, kLoad);
  loads[0].leave_after = 400;
  loads[2].leave_after = 800;
  loads[3].leave_after = 1'200;
  ASSERT_NO_FATAL_FAILURE(start(new_group(4), loads));
  for (const std::uint32_t leaver : {0U, 2U, 3U}) {
    ASSERT_NO_FATAL_FAILURE(group_.expect_to_end(leaver));
  }
  ASSERT_TRUE(group_.wait_for_view({1}));
  EXPECT_EQ(heard(group_.log(1).losses), 0u) << group_.log(1).lost_reason.data();
  EXPECT_EQ(heard(group_.log(0).evictions), 0u);
  ASSERT_TRUE(group_.wait_for_progress({1}, 50));
  ASSERT_NO_FATAL_FAILURE(group_.expect_to_settle({1}));
}

TEST_P(Views, MayBeLeftByAllAtOnce) {
  Load load = kLoad;
  load.leave_after = 300;
  ASSERT_NO_FATAL_FAILURE(group_.start(new_group(3), {load}));
  for (const std::uint32_t leaver : {0U, 1U, 2U}) {
    ASSERT_NO_FATAL_FAILURE(group_.expect_to_end(leaver));
  }
  ASSERT_NO_FATAL_FAILURE(group_.end_and_judge());
}

// Shorter than the silence timeout of the default settings: it costs time and nothing else.
TEST_P(Views, AreNotChangedByStallsOfASecond) {
  ASSERT_NO_FATAL_FAILURE(start(new_group(3)));
  for (const std::uint64_t stall_ns : {kSecond / 10, kSecond / 3, kSecond}) {
    for (const std::uint32_t stalled : {0U, 2U}) {
      group_.signal(stalled, SIGSTOP);
      pause_ns(stall_ns);
      group_.signal(stalled, SIGCONT);
      ASSERT_TRUE(group_.wait_for_progress(group_.everyone(), 50));
    }
  }
  for (const std::uint32_t member : group_.everyone()) {
    EXPECT_EQ(heard(group_.log(member).view), 1u) << member;
    EXPECT_EQ(heard(group_.log(member).losses), 0u) << group_.log(member).lost_reason.data();
  }
  ASSERT_NO_FATAL_FAILURE(group_.expect_to_settle({0, 1, 2}));
}

// Default settings: within 5 s, and nobody else. It is told when it runs again.
TEST_P(Views, GoOnWithoutAStoppedMemberWhichIsTold) {
  for (const std::uint32_t stopped : {0U, 2U}) {
    RunningGroup group;
    ASSERT_NO_FATAL_FAILURE(group.start(new_group(3), {kLoad}));
    ASSERT_TRUE(group.wait_for_progress(group.everyone(), 100));
    std::vector<std::uint32_t> others = group.everyone();
    std::erase(others, stopped);
    group.signal(stopped, SIGSTOP);
    ASSERT_TRUE(group.wait_for_view(others, 5)) << stopped;
    ASSERT_TRUE(group.wait_for_progress(others, 100)) << stopped;
    group.signal(stopped, SIGCONT);
    ASSERT_TRUE(group.wait_until([&] { return heard(group.log(stopped).evictions) == 1; }));
    const std::uint64_t refused = 1 + static_cast<std::uint64_t>(Outcome::not_member);
    EXPECT_TRUE(group.wait_until([&] { return heard(group.log(stopped).refusal) == refused; }));
    for (const std::uint32_t other : others) {
      EXPECT_EQ(group.log(other).last_lost & ~mask_of({stopped}), 0u);  // or it heard of it
      EXPECT_EQ(heard(group.log(other).evictions), 0u);
    }
    ASSERT_NO_FATAL_FAILURE(group.expect_to_settle(others));
  }
}

INSTANTIATE_TEST_SUITE_P(Media, Views,
                         testing::Values(Medium::shm, Medium::automatic, Medium::tcp, Medium::udp,
                                         Medium::dpdk, Medium::verbs),
                         [](const auto& tested) { return name_of(tested.param); });

}  // namespace
}  // namespace lockstep::test
