#include <dirent.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <thread>

#include "tests/processes/group_fixture.hpp"
#include "tests/processes/medium.hpp"
#include "tools/launch/members.hpp"
#include "tools/launch/shared_array.hpp"

// Every fault ends in a clear message or event; nothing hangs and nothing stays behind.

namespace lockstep::test {
namespace {

using launch::As;

/// The faults of members, whatever they are connected by.
class MemberFault : public testing::TestWithParam<Medium> {
 protected:
  void SetUp() override {
    const std::string lack = missing(GetParam());
    if (!lack.empty()) GTEST_SKIP() << "platform limit: " << lack;
  }
  /// What member m0 of a new group joins with; see `as`.
  static GroupConfig new_group(std::uint32_t members, const char* purpose) {
    GroupConfig config = group_of(members, 0, unique_name(purpose));
    connect_by(GetParam(), config);
    return config;
  }
};

/// The same group, as the member of `rank` joins it.
GroupConfig as(std::uint32_t rank, GroupConfig config) {
  config.self = config.members[rank];
  return config;
}

/// A member in a process of its own that turns until it is killed.
pid_t fork_member(const GroupConfig& config) {
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Reactor reactor({.idle = IdlePolicy::backoff});
  Observer observer;
  auto group = Group::join(reactor, config, observer);
  if (!group) _exit(9);
  reactor.run();
  _exit(0);
}

void reap(pid_t child) { waitpid(child, nullptr, 0); }

TEST_P(MemberFault, AKilledMemberIsReportedWithRankAndReason) {
  const GroupConfig config = new_group(2, "killed");
  const pid_t child = fork_member(as(1, config));
  Reactor reactor({.idle = IdlePolicy::backoff});
  Observer observer;
  auto group = Group::join(reactor, config, observer);
  ASSERT_TRUE(group) << group.error().message;
  const auto slot = group->claim(8);
  ASSERT_TRUE(slot);
  slot->publish();
  ASSERT_TRUE(turn_until(reactor, [&] { return observer.applied == 1; }));
  kill(child, SIGKILL);
  ASSERT_TRUE(turn_until(reactor, [&] { return observer.losses > 0; }));
  EXPECT_EQ(observer.losses, 1u);
  EXPECT_EQ(observer.lost.rank, 1u);
  EXPECT_EQ(observer.lost.name, "m1");
  EXPECT_EQ(observer.lost.reason, "process died");
  // Of two members the first goes on.
  ASSERT_TRUE(turn_until(reactor, [&] { return observer.installed.id == 2; }));
  EXPECT_EQ(group->view().members, std::vector<std::string>{"m0"});
  EXPECT_TRUE(group->view().primary);
  ASSERT_TRUE(group->post({}, 0));
  ASSERT_TRUE(turn_until(reactor, [&] { return observer.applied == 2; }));
  reap(child);
}

TEST_P(MemberFault, AMemberThatLeavesIsReportedAsLeaving) {
  const GroupConfig config = new_group(2, "leaving");
  const auto ends = launch::run_members(2, As::processes, 60 * kSecond, [&](std::uint32_t rank) {
    Reactor reactor({.idle = IdlePolicy::backoff});
    Observer observer;
    auto group = Group::join(reactor, as(rank, config), observer);
    if (!group) return 1;
    if (rank == 1) return 0;
    if (!turn_until(reactor, [&] { return observer.losses > 0; })) return 2;
    return observer.lost.reason == "left the group" ? 0 : 3;
  });
  ASSERT_TRUE(ends);
  for (const auto& end : *ends) EXPECT_TRUE(end.good()) << end.rank << ": " << end.words;
}

TEST_P(MemberFault, ASleepingSurvivorIsWokenByADeath) {
  GroupConfig mine = new_group(2, "asleep");
  // No beat shall wake anyone: only the death itself.
  mine.heartbeat_interval_ns = 60 * kSecond;
  mine.silence_timeout_ns = 600 * kSecond;
  const pid_t child = fork_member(as(1, mine));
  Reactor reactor({.idle = IdlePolicy::backoff});
  Observer observer;
  auto group = Group::join(reactor, mine, observer);
  ASSERT_TRUE(group) << group.error().message;
  std::thread killer([child] {
    sleep(1);
    kill(child, SIGKILL);
  });
  ASSERT_TRUE(turn_until(reactor, [&] { return observer.losses > 0; }, 20));
  killer.join();
  EXPECT_EQ(observer.lost.reason, "process died");
  reap(child);
}

TEST_P(MemberFault, ASilentMemberIsReportedThoughItsProcessLives) {
  GroupConfig mine = new_group(2, "silent");
  mine.heartbeat_interval_ns = kSecond / 10;
  mine.silence_timeout_ns = 3 * kSecond;
  const pid_t child = fork_member(as(1, mine));
  Reactor reactor({.idle = IdlePolicy::backoff});
  Observer observer;
  auto group = Group::join(reactor, mine, observer);
  ASSERT_TRUE(group) << group.error().message;
  kill(child, SIGSTOP);
  ASSERT_TRUE(turn_until(reactor, [&] { return observer.losses > 0; }, 60));
  EXPECT_EQ(observer.lost.reason, "silent for 3.0 s");
  kill(child, SIGKILL);
  reap(child);
}

TEST_P(MemberFault, AMemberThatNeverStartsIsNamed) {
  GroupConfig config = new_group(3, "absent");
  config.join_timeout_ns = kSecond / 2;
  Reactor reactor;
  Observer observer;
  const auto group = Group::join(reactor, config, observer);
  ASSERT_FALSE(group);
  EXPECT_EQ(group.error().code, ErrorCode::member_absent);
  EXPECT_NE(group.error().message.find("'m1' (rank 1)"), std::string::npos)
      << group.error().message;
  EXPECT_NE(group.error().message.find("0.5 s"), std::string::npos) << group.error().message;
}

TEST(Fault, TheSameIdentityTwiceIsRefused) {
  const std::string name = unique_name("twice");
  Reactor first_reactor({.idle = IdlePolicy::backoff});
  Observer observer;
  auto first = Group::join(first_reactor, group_of(1, 0, name), observer);
  ASSERT_TRUE(first) << first.error().message;
  Reactor second_reactor({.idle = IdlePolicy::backoff});
  const auto second = Group::join(second_reactor, group_of(1, 0, name), observer);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::identity_in_use);
  EXPECT_NE(second.error().message.find(fmt::format("process {}", getpid())), std::string::npos)
      << second.error().message;
}

TEST_P(MemberFault, DifferingConfigurationsAreRefusedWithBothValues) {
  const GroupConfig agreed = new_group(2, "differ");
  const auto ends = launch::run_members(2, As::processes, 60 * kSecond, [&](std::uint32_t rank) {
    GroupConfig config = as(rank, agreed);
    if (rank == 1) config.ring_bytes = 1 << 17;
    Reactor reactor;
    Observer observer;
    const auto group = Group::join(reactor, config, observer);
    if (group) return 1;
    const std::string& message = group.error().message;
    const bool both = message.find("65536") != std::string::npos &&
                      message.find("131072") != std::string::npos &&
                      message.find("ring_bytes") != std::string::npos;
    if (!both) fmt::print(stderr, "{}\n", message);
    return group.error().code == ErrorCode::mismatch && both ? 0 : 2;
  });
  ASSERT_TRUE(ends);
  for (const auto& end : *ends) EXPECT_TRUE(end.good()) << end.rank << ": " << end.words;
}

TEST(Fault, SpinningWithoutTheCpusIsRefused) {
  const std::string name = unique_name("crowded");
  const auto members = static_cast<std::uint32_t>(std::thread::hardware_concurrency()) + 1;
  if (members > kMaxMembers) return;  // nobody can oversubscribe such a machine with one group
  const auto ends =
      launch::run_members(members, As::processes, 60 * kSecond, [&](std::uint32_t rank) {
        Reactor reactor({.idle = rank == 0 ? IdlePolicy::spin : IdlePolicy::backoff});
        Observer observer;
        const auto group = Group::join(reactor, group_of(members, rank, name), observer);
        if (rank == 0) return !group && group.error().code == ErrorCode::oversubscribed ? 0 : 1;
        return group || group.error().code == ErrorCode::member_lost ? 0 : 2;
      });
  ASSERT_TRUE(ends);
  for (const auto& end : *ends) EXPECT_TRUE(end.good()) << end.rank << ": " << end.words;
}

TEST(Fault, AutomaticIdlingAdaptsToTheCpus) {
  Reactor alone;
  Observer observer;
  auto group = Group::join(alone, group_of(1, 0, unique_name("alone")), observer);
  ASSERT_TRUE(group);
  EXPECT_EQ(alone.idle_policy(), IdlePolicy::spin);

  const std::string name = unique_name("many");
  const auto members = static_cast<std::uint32_t>(std::thread::hardware_concurrency()) + 1;
  if (members > kMaxMembers) return;
  const auto ends =
      launch::run_members(members, As::processes, 60 * kSecond, [&](std::uint32_t rank) {
        Reactor reactor;
        Observer seen;
        const auto joined = Group::join(reactor, group_of(members, rank, name), seen);
        return joined && reactor.idle_policy() == IdlePolicy::backoff ? 0 : 1;
      });
  ASSERT_TRUE(ends);
  for (const auto& end : *ends) EXPECT_TRUE(end.good()) << end.rank << ": " << end.words;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

TEST_P(MemberFault, JoiningAndLeavingLeaksNoDescriptor) {
  if (GetParam() == Medium::dpdk) {
    GTEST_SKIP() << "platform limit: DPDK cannot be ended, what it opened for itself stays";
  }
  const auto join_and_leave = [](const GroupConfig& config) {
    return launch::run_members(3, As::threads, 60 * kSecond, [&](std::uint32_t rank) {
      Reactor reactor({.idle = IdlePolicy::backoff});
      Observer observer;
      const auto group = Group::join(reactor, as(rank, config), observer);
      return group || group.error().code == ErrorCode::member_lost ? 0 : 1;
    });
  };
  ASSERT_TRUE(join_and_leave(new_group(3, "warm")));
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(join_and_leave(new_group(3, "leak")));
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Fault, APortInUseIsExplained) {
  GroupConfig config = group_of(1, 0, unique_name("port"));
  connect_by(Medium::tcp, config);
  Reactor first_reactor({.idle = IdlePolicy::backoff});
  Observer observer;
  const auto first = Group::join(first_reactor, config, observer);
  ASSERT_TRUE(first) << first.error().message;
  Reactor second_reactor({.idle = IdlePolicy::backoff});
  const auto second = Group::join(second_reactor, config, observer);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::identity_in_use);
  EXPECT_NE(second.error().message.find(config.addresses[0]), std::string::npos)
      << second.error().message;
}

TEST(Fault, LockedMemoryBeyondTheLimitIsExplained) {
  GroupConfig config = group_of(1, 0, unique_name("locked"));
  config.ring_bytes = 1 << 24;
  const pid_t child = fork();
  if (child == 0) {
    // Root may lock regardless of the limit, so become nobody.
    if (geteuid() == 0 && setuid(65'534) != 0) _exit(4);
    Reactor reactor({.lock_memory = true});
    Observer observer;
    const auto group = Group::join(reactor, config, observer);
    if (group) _exit(1);
    _exit(group.error().message.find("RLIMIT_MEMLOCK") != std::string::npos ? 0 : 2);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

INSTANTIATE_TEST_SUITE_P(Media, MemberFault,
                         testing::Values(Medium::shm, Medium::automatic, Medium::tcp, Medium::udp,
                                         Medium::dpdk, Medium::verbs),
                         [](const auto& tested) { return name_of(tested.param); });

}  // namespace
}  // namespace lockstep::test
