#include "tools/launch/members.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <thread>

#include "tools/launch/shared_array.hpp"

namespace lockstep::launch {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSecondNs = 1'000'000'000;

/// A body that never ends by itself; its process is killed.
[[noreturn]] void sleep_for_ever() {
  while (true) std::this_thread::sleep_for(1h);
}

bool no_child_left() { return waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

class RunMembers : public testing::TestWithParam<As> {};

TEST_P(RunMembers, ReportsEveryRankInOrder) {
  const auto ends = run_members(3, GetParam(), 60 * kSecondNs, [](std::uint32_t rank) {
    std::this_thread::sleep_for(10ms * (3 - rank));
    return rank == 1 ? 3 : 0;
  });
  ASSERT_TRUE(ends) << ends.error().message;
  ASSERT_EQ(ends->size(), 3U);
  for (std::uint32_t rank = 0; rank < 3; ++rank) {
    EXPECT_EQ((*ends)[rank].rank, rank);
    EXPECT_EQ((*ends)[rank].ending, Ending::exited);
  }
  EXPECT_TRUE((*ends)[0].good());
  EXPECT_FALSE((*ends)[1].good());
  EXPECT_EQ((*ends)[1].status, 3);
  EXPECT_EQ((*ends)[1].words, "ended with status 3");
  EXPECT_TRUE((*ends)[2].good());
}

TEST_P(RunMembers, CarriesResultsBackInSharedMemory) {
  auto results = SharedArray<std::uint64_t>::create(4);
  ASSERT_TRUE(results) << results.error().message;
  const auto ends = run_members(4, GetParam(), 60 * kSecondNs, [&](std::uint32_t rank) {
    (*results)[rank] = 100 + rank;
    return 0;
  });
  ASSERT_TRUE(ends);
  for (std::uint32_t rank = 0; rank < 4; ++rank) EXPECT_EQ((*results)[rank], 100U + rank);
}

TEST_P(RunMembers, RefusesNothingToRun) {
  const auto none = run_members(0, GetParam(), kSecondNs, [](std::uint32_t) { return 0; });
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::invalid_argument);
  EXPECT_FALSE(run_members(1, GetParam(), kSecondNs, {}));
}

INSTANTIATE_TEST_SUITE_P(As, RunMembers, testing::Values(As::processes, As::threads),
                         [](const auto& as) {
                           return as.param == As::processes ? "Processes" : "Threads";
                         });

TEST(RunMembersAsProcesses, NamesTheSignalThatKilledOne) {
  const auto ends = run_members(2, As::processes, 60 * kSecondNs, [](std::uint32_t rank) {
    if (rank == 1) kill(getpid(), SIGKILL);
    return 0;
  });
  ASSERT_TRUE(ends) << ends.error().message;
  EXPECT_TRUE((*ends)[0].good());
  EXPECT_EQ((*ends)[1].ending, Ending::signalled);
  EXPECT_EQ((*ends)[1].status, SIGKILL);
  EXPECT_EQ((*ends)[1].words, "killed by signal 9 (Killed)");
  EXPECT_TRUE(no_child_left());
}

TEST(RunMembersAsProcesses, KillsThoseThatOutstayTheDeadline) {
  const auto ends = run_members(2, As::processes, kSecondNs, [](std::uint32_t rank) -> int {
    if (rank == 0) sleep_for_ever();
    return 0;
  });
  ASSERT_TRUE(ends) << ends.error().message;
  EXPECT_EQ((*ends)[0].ending, Ending::timed_out);
  EXPECT_FALSE((*ends)[0].good());
  EXPECT_EQ((*ends)[0].words, "timed out after 1 s; killed");
  EXPECT_TRUE((*ends)[1].good());
  EXPECT_TRUE(no_child_left());
}

TEST(RunMembersAsProcesses, GivesTheOthersGraceAfterABadEnd) {
  const auto started = std::chrono::steady_clock::now();
  const auto ends = run_members(3, As::processes, 600 * kSecondNs, [](std::uint32_t rank) -> int {
    if (rank == 0) return 7;
    if (rank == 1) std::this_thread::sleep_for(500ms);
    if (rank == 2) sleep_for_ever();
    return 0;
  });
  const auto took = std::chrono::steady_clock::now() - started;
  ASSERT_TRUE(ends) << ends.error().message;
  EXPECT_EQ((*ends)[0].status, 7);
  EXPECT_TRUE((*ends)[1].good()) << (*ends)[1].words;
  EXPECT_EQ((*ends)[2].ending, Ending::stopped);
  EXPECT_NE((*ends)[2].words.find("after rank 0 had ended with status 7"), std::string::npos)
      << (*ends)[2].words;
  EXPECT_GE(took, 5s);
  EXPECT_TRUE(no_child_left());
}

TEST(RunMembersAsProcesses, LeavesNoChildWhenTheCallerDies) {
  auto pids = SharedArray<std::int32_t>::create(1);
  ASSERT_TRUE(pids);
  // A process in the middle that starts a member and is then killed: the member must go too.
  const auto ends = run_members(1, As::processes, 60 * kSecondNs, [&](std::uint32_t) {
    static_cast<void>(run_members(1, As::processes, 60 * kSecondNs, [&](std::uint32_t) -> int {
      std::atomic_ref((*pids)[0]).store(getpid());
      kill(getppid(), SIGKILL);
      sleep_for_ever();
    }));
    return 0;
  });
  ASSERT_TRUE(ends);
  EXPECT_EQ((*ends)[0].ending, Ending::signalled);
  const pid_t orphan = std::atomic_ref((*pids)[0]).load();
  ASSERT_GT(orphan, 0);
  // Whoever adopted it reaps it sooner or later; a zombie has already ended.
  bool gone = false;
  for (int i = 0; i < 1'000 && !gone; ++i) {
    const std::string path = "/proc/" + std::to_string(orphan) + "/stat";
    std::FILE* stat = std::fopen(path.c_str(), "r");
    char state = 'X';
    if (stat != nullptr) {
      if (std::fscanf(stat, "%*d (%*[^)]) %c", &state) != 1) state = 'X';
      std::fclose(stat);
    }
    gone = state == 'X' || state == 'Z';
    if (!gone) std::this_thread::sleep_for(10ms);
  }
  EXPECT_TRUE(gone);
}

TEST(RunMembersAndStrike, KillsOneAndRunsItAgain) {
  auto lives = SharedArray<std::uint64_t>::create(3);
  ASSERT_TRUE(lives);
  int strikes = 0;
  const auto ends = run_members_and_strike(
      3, 60 * kSecondNs,
      [&](std::uint32_t rank) -> int {
        const std::uint64_t life = std::atomic_ref((*lives)[rank]).fetch_add(1) + 1;
        if (rank == 1 && life == 1) sleep_for_ever();
        while (std::atomic_ref((*lives)[1]).load() < 2) std::this_thread::sleep_for(1ms);
        return 0;
      },
      {.rank = 1,
       .due = [&] { return std::atomic_ref((*lives)[1]).load() == 1; },
       .about_to_kill = [&] { ++strikes; }});
  ASSERT_TRUE(ends) << ends.error().message;
  ASSERT_EQ(ends->size(), 3U);
  for (const MemberEnd& end : *ends) EXPECT_TRUE(end.good()) << end.rank << ": " << end.words;
  EXPECT_EQ(strikes, 1);
  EXPECT_EQ((*lives)[0], 1U);
  EXPECT_EQ((*lives)[1], 2U);
  EXPECT_TRUE(no_child_left());
}

TEST(RunMembersAndStrike, LeavesAloneWhoEndedBeforeItWasDue) {
  const auto ends = run_members_and_strike(
      2, 60 * kSecondNs,
      [](std::uint32_t rank) {
        if (rank == 0) std::this_thread::sleep_for(200ms);
        return rank == 1 ? 4 : 0;
      },
      {.rank = 1, .due = [] { return false; }, .about_to_kill = [] { FAIL(); }});
  ASSERT_TRUE(ends) << ends.error().message;
  ASSERT_EQ(ends->size(), 2U);
  EXPECT_TRUE((*ends)[0].good());
  EXPECT_EQ((*ends)[1].words, "ended with status 4");
}

TEST(RunMembersAndStrike, StillHasADeadline) {
  const auto ends =
      run_members_and_strike(2, kSecondNs, [](std::uint32_t) -> int { sleep_for_ever(); },
                             {.rank = 0, .due = [] { return false; }, .about_to_kill = [] {}});
  ASSERT_TRUE(ends) << ends.error().message;
  for (const MemberEnd& end : *ends) EXPECT_EQ(end.ending, Ending::timed_out) << end.words;
  EXPECT_TRUE(no_child_left());
}

TEST(RunMembersAndStrike, RefusesARankThatIsNotThere) {
  const auto refused =
      run_members_and_strike(2, kSecondNs, [](std::uint32_t) { return 0; },
                             {.rank = 2, .due = [] { return true; }, .about_to_kill = [] {}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
}

TEST(RunMembersAsThreads, LeavesALateThreadAloneAndSaysSo) {
  static std::atomic<bool> released = false;
  static std::atomic<bool> over = false;
  const auto ends = run_members(2, As::threads, kSecondNs, [](std::uint32_t rank) {
    if (rank == 0) {
      while (!released.load()) std::this_thread::sleep_for(1ms);
      over.store(true);
    }
    return 0;
  });
  ASSERT_TRUE(ends);
  EXPECT_EQ((*ends)[0].ending, Ending::timed_out);
  EXPECT_EQ((*ends)[0].words, "timed out after 1 s; left running");
  EXPECT_TRUE((*ends)[1].good());
  released.store(true);
  while (!over.load()) std::this_thread::sleep_for(1ms);
}

TEST(SharedArray, StartsZeroedAndMoves) {
  auto made = SharedArray<std::uint64_t>::create(1'000);
  ASSERT_TRUE(made);
  for (const std::uint64_t element : made->elements()) EXPECT_EQ(element, 0U);
  (*made)[999] = 5;
  const SharedArray<std::uint64_t> moved = std::move(*made);
  EXPECT_EQ(moved.size(), 1'000U);
  EXPECT_EQ(moved[999], 5U);
}

TEST(SharedArray, RefusesTheImpossible) {
  const auto made = SharedArray<std::uint64_t>::create(~std::size_t{0});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::no_memory);
}

}  // namespace
}  // namespace lockstep::launch
