#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "runtime/clock.hpp"
#include "tests/processes/group_fixture.hpp"
#include "tests/processes/ledger_group.hpp"
#include "tests/processes/medium.hpp"
#include "tests/processes/member_log.hpp"

// Processes that come into a group while it runs: anew, again, many at once, and at bad moments.

namespace lockstep::test {
namespace {

class Rejoin : public testing::TestWithParam<Medium> {
 protected:
  void SetUp() override {
    const std::string lack = missing(GetParam());
    if (!lack.empty()) GTEST_SKIP() << "platform limit: " << lack;
  }

  /// The first `founders` of `members` found the group.
  static GroupConfig new_group(std::uint32_t members, std::uint32_t founders) {
    GroupConfig config = group_of(members, 0, unique_name("rejoin"));
    config.founders.assign(config.members.begin(), config.members.begin() + founders);
    connect_by(GetParam(), config);
    return config;
  }
};

TEST_P(Rejoin, AKilledMemberComesBackAndGetsTheStateWhateverItsRank) {
  LedgerGroup group(new_group(3, 3), {.ballast_bytes = 100'000});
  ASSERT_TRUE(group.start_all({0, 1, 2}));
  for (const std::uint32_t victim : {2U, 0U, 1U}) {
    group.kill(victim);
    group.start(victim);
    ASSERT_TRUE(group.wait_for({0, 1, 2})) << victim;
    EXPECT_EQ(group.words(victim).loads, 1u);
  }
  ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 1, 2}));
}

TEST_P(Rejoin, WhoIsNoFounderJoinsTheGroupThatRuns) {
  LedgerGroup group(new_group(5, 2), {.ballast_bytes = 1'000});
  ASSERT_TRUE(group.start_all({0, 1}));
  group.start(3);
  ASSERT_TRUE(group.wait_for({0, 1, 3}));
  // Two at once: they queue.
  group.start(2);
  group.start(4);
  ASSERT_TRUE(group.wait_for({0, 1, 2, 3, 4}));
  ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 1, 2, 3, 4}));
}

// More joiners than members, who come at once, and the leader of their changes of view dies among
// them: they queue, and nobody waits for the dead one.
TEST_P(Rejoin, AHerdOfJoinersQueuesThoughTheLeaderDies) {
  LedgerGroup group(new_group(8, 3), {.ballast_bytes = 100'000, .pace_ns = 2'000'000});
  ASSERT_TRUE(group.start_all({0, 1, 2}));
  for (std::uint32_t joiner = 3; joiner < 8; ++joiner) group.start(joiner);
  ASSERT_TRUE(group.wait_until([&] { return std::popcount(group.words(1).members) > 3; }));
  group.kill(0);
  ASSERT_TRUE(group.wait_for({1, 2, 3, 4, 5, 6, 7}));
  ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({1, 2, 3, 4, 5, 6, 7}));
}

TEST_P(Rejoin, AllMembersAreRestartedOneAfterTheOther) {
  LedgerGroup group(new_group(3, 3), {.ballast_bytes = 10'000});
  ASSERT_TRUE(group.start_all({0, 1, 2}));
  for (const std::uint32_t member : {0U, 1U, 2U}) {
    group.expect_to_leave(member);
    group.start(member);
    ASSERT_TRUE(group.wait_for({0, 1, 2})) << member;
  }
  ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 1, 2}));
}

// Whatever it is doing when it dies: being taken in, or loading.
TEST_P(Rejoin, AJoinerThatDiesCostsNothing) {
  LedgerGroup group(new_group(3, 3), {.ballast_bytes = 8 << 20});
  ASSERT_TRUE(group.start_all({0, 1, 2}));
  for (std::uint64_t delay_ms = 0; delay_ms < 120; delay_ms += 15) {
    group.kill(2);
    group.start(2);
    const std::uint64_t applied = heard(group.words(0).applied);
    ASSERT_TRUE(
        group.wait_until([&] { return heard(group.words(0).applied) > applied + delay_ms; }));
  }
  ASSERT_TRUE(group.wait_for({0, 1, 2}));
  ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 1, 2}));
}

TEST_P(Rejoin, AJoinerGetsTheStateThoughItsDonorDies) {
  LedgerGroup group(new_group(4, 4), {.ballast_bytes = 64 << 20});
  ASSERT_TRUE(group.start_all({0, 1, 2, 3}));
  group.kill(3);
  group.start(3);
  // Taken in: the highest rank of those with the state gives it, which is member 2.
  ASSERT_TRUE(group.wait_until(
      [&] { return group.words(0).members == 0b1111 && heard(group.words(0).view) >= 3; }));
  group.kill(2);
  ASSERT_TRUE(group.wait_for({0, 1, 3}));
  ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 1, 3}));
}

// Two are loading, each from a donor of its own, when one of the two donors dies: whoever has none
// then waits for the other's, and gets a cut of its own.
TEST_P(Rejoin, TwoLoadAtATimeThoughADonorDies) {
  LedgerGroup group(new_group(4, 2), {.ballast_bytes = 64 << 20});
  ASSERT_TRUE(group.start_all({0, 1}));
  for (const std::uint32_t joiner : {2U, 3U}) {
    group.start(joiner);
    ASSERT_TRUE(group.wait_until([&] { return (group.words(0).members >> joiner & 1U) != 0; }));
  }
  group.kill(1);
  ASSERT_TRUE(group.wait_for({0, 2, 3}));
  ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 2, 3}));
}

TEST_P(Rejoin, AStateThatCannotBeLoadedLeavesTheJoinerOut) {
  LedgerGroup group(new_group(3, 2), {.ballast_bytes = 1'000});
  ASSERT_TRUE(group.start_all({0, 1}));
  group.start(2, {.ballast_bytes = 1'000, .refuses_to_load = true});
  EXPECT_EQ(group.wait_for_end(2), 5);
  ASSERT_TRUE(group.wait_for({0, 1}));
  ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 1}));
}

// Stopped for so long that the others go on without it; then it is told, and comes back.
TEST_P(Rejoin, AStoppedMemberIsToldAndComesBack) {
  LedgerGroup group(new_group(3, 3), {.ballast_bytes = 1'000});
  ASSERT_TRUE(group.start_all({0, 1, 2}));
  for (const std::uint64_t longer_ns : {std::uint64_t{0}, 5 * kSecond}) {
    const std::uint64_t evictions = group.words(1).evictions;
    group.signal(1, SIGSTOP);
    ASSERT_TRUE(group.wait_for({0, 2}));
    usleep(static_cast<useconds_t>(longer_ns / 1'000));
    group.signal(1, SIGCONT);
    ASSERT_TRUE(group.wait_until([&] { return group.words(1).evictions > evictions; }));
    ASSERT_TRUE(group.wait_for({0, 1, 2}));
  }
  ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 1, 2}));
}

/// Lets a process run for a tenth of the time, until `done`: stopped for so long that the others
/// are ahead for most of it, however slow the machine.
void throttle(LedgerGroup& group, std::uint32_t member, const std::function<bool()>& done) {
  ASSERT_TRUE(group.wait_until([&] {
    group.signal(member, SIGSTOP);
    usleep(450'000);
    group.signal(member, SIGCONT);
    usleep(50'000);
    return done();
  }));
}

TEST_P(Rejoin, ASlowMemberIsNamedAndKeptUnlessTheGroupIsToldOtherwise) {
  for (const bool evicts : {false, true}) {
    GroupConfig config = new_group(3, 3);
    config.slow_lag = 30;
    config.slow_timeout_ns = 3 * kSecond / 10;
    config.slow_evicts = evicts;
    LedgerGroup group(config, {});
    ASSERT_TRUE(group.start_all({0, 1, 2}));
    EXPECT_EQ(group.words(0).slow | group.words(2).slow, 0u);
    const std::uint64_t view = heard(group.words(0).view);
    ASSERT_NO_FATAL_FAILURE(throttle(group, 1, [&] {
      const bool named = heard(group.words(0).slow) == 0b010 && heard(group.words(2).slow) == 0b010;
      return named && (!evicts || heard(group.words(0).view) > view);
    }));
    // At its own speed again it is one of them, or comes back.
    ASSERT_TRUE(group.wait_for({0, 1, 2}));
    EXPECT_EQ(group.words(1).evictions > 0, evicts);
    EXPECT_EQ(group.words(0).evictions + group.words(2).evictions, 0u);
    ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 1, 2}));
  }
}

/// How often or long in `ci/long`; otherwise only so much that it is seen to work.
int asked_for(const char* variable, int otherwise) {
  const char* const asked = std::getenv(variable);
  return asked == nullptr ? otherwise : std::atoi(asked);
}

TEST_P(Rejoin, MembersAreKilledAndComeBackOverAndOver) {
  LedgerGroup group(new_group(3, 3), {.ballast_bytes = 100'000, .pace_ns = 200'000});
  ASSERT_TRUE(group.start_all({0, 1, 2}));
  const int cycles = asked_for("LOCKSTEP_REJOIN_CYCLES", 6);
  for (int cycle = 0; cycle < cycles; ++cycle) {
    const auto victim = static_cast<std::uint32_t>(cycle * 7 % 3);
    group.kill(victim);
    group.start(victim);
    ASSERT_TRUE(group.wait_for({0, 1, 2})) << cycle;
  }
  ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 1, 2}));
}

// DESIGN 7: the group goes on while a state of any size is on its way.
TEST_P(Rejoin, NobodyWaitsForALargeState) {
  const int mebibytes = asked_for("LOCKSTEP_STATE_MIB", GetParam() == Medium::verbs ? 16 : 256);
  const std::size_t ballast_bytes = static_cast<std::size_t>(mebibytes) << 20U;
  LedgerGroup group(new_group(3, 2), {.ballast_bytes = ballast_bytes});
  ASSERT_TRUE(group.start_all({0, 1}));
  for (const std::uint32_t member : {0U, 1U}) group.words(member).longest_gap_ns = 0;
  const runtime::TscClock clock;
  const std::uint64_t started_ns = clock.now_ns();
  const std::uint64_t applied = heard(group.words(0).applied);
  group.start(2);
  ASSERT_TRUE(group.wait_until([&] { return heard(group.words(2).joined) > 0; }));
  const double seconds = static_cast<double>(clock.now_ns() - started_ns) / 1e9;
  const std::uint64_t meanwhile = heard(group.words(0).applied) - applied;
  fmt::print(
      "{} MiB came in {:.2f} s, {:.2f} GB/s; meanwhile {} messages, the longest gap {:.2f} ms\n",
      ballast_bytes >> 20U, seconds, static_cast<double>(ballast_bytes) / 1e9 / seconds, meanwhile,
      static_cast<double>(std::max(group.words(0).longest_gap_ns, group.words(1).longest_gap_ns)) /
          1e6);
  EXPECT_GT(meanwhile, 10u);
  ASSERT_TRUE(group.wait_for({0, 1, 2}));
  ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 1, 2}));
}

TEST_P(Rejoin, NobodyIsEvictedBesideBusyLoops) {
  LedgerGroup group(new_group(3, 3), {});
  ASSERT_TRUE(group.start_all({0, 1, 2}));
  std::vector<Child> loops;
  for (int i = 0; i < 4; ++i) {
    auto loop = Child::start([]() -> int {
      std::atomic<std::uint64_t> turns{0};
      while (true) turns.fetch_add(1, std::memory_order_relaxed);
    });
    ASSERT_TRUE(loop);
    loops.push_back(std::move(*loop));
  }
  const runtime::TscClock clock;
  const auto seconds = static_cast<std::uint64_t>(asked_for("LOCKSTEP_BUSY_SECONDS", 5));
  const std::uint64_t deadline_ns = clock.now_ns() + seconds * kSecond;
  while (clock.now_ns() < deadline_ns) usleep(100'000);
  for (const std::uint32_t member : {0U, 1U, 2U}) {
    EXPECT_EQ(heard(group.words(member).view), 1u) << member;
    EXPECT_EQ(group.words(member).quorums_lost, 0u) << member;
  }
  loops.clear();
  ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 1, 2}));
}

INSTANTIATE_TEST_SUITE_P(Media, Rejoin,
                         testing::Values(Medium::shm, Medium::automatic, Medium::tcp, Medium::udp,
                                         Medium::dpdk, Medium::verbs),
                         [](const auto& tested) { return name_of(tested.param); });

}  // namespace
}  // namespace lockstep::test
