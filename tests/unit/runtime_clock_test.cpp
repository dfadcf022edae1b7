#include <gtest/gtest.h>
#include <time.h>

#include <cstdint>

#include "lockstep/error.hpp"
#include "runtime/clock.hpp"

namespace lockstep::runtime {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;

std::uint64_t kernel_ns(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

TEST(TscClock, NeverRunsBackwards) {
  const TscClock clock;
  std::uint64_t last = clock.now_ns();
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t now = clock.now_ns();
    ASSERT_GE(now, last);
    last = now;
  }
}

/// The reading has to fall between two readings of the clock it stands for; 1 ms covers what the
/// calibration may be off after the seconds this program has run.
TEST(TscClock, FollowsTheMonotonicClock) {
  const TscClock clock;
  for (int i = 0; i < 20; ++i) {
    const std::uint64_t before = kernel_ns(CLOCK_MONOTONIC);
    const std::uint64_t now = clock.now_ns();
    const std::uint64_t after = kernel_ns(CLOCK_MONOTONIC);
    EXPECT_GE(now + kMillisecond, before);
    EXPECT_LE(now, after + kMillisecond);
    const timespec pause{0, 5 * static_cast<long>(kMillisecond)};
    ::nanosleep(&pause, nullptr);
  }
}

TEST(TscClock, WallTimeIsTheRealTimeClock) {
  const TscClock clock;
  const std::uint64_t before = kernel_ns(CLOCK_REALTIME);
  const std::uint64_t wall = clock.wall_ns();
  const std::uint64_t after = kernel_ns(CLOCK_REALTIME);
  constexpr std::uint64_t kSlack = 1'000 * kMillisecond;  // somebody may step the clock
  EXPECT_GE(wall + kSlack, before);
  EXPECT_LE(wall, after + kSlack);
}

TEST(TscClock, AllClocksOfAProcessAgree) {
  const TscClock first;
  const std::uint64_t earlier = first.now_ns();
  const TscClock second;
  const std::uint64_t middle = second.now_ns();
  const std::uint64_t later = first.now_ns();
  EXPECT_LE(earlier, middle);
  EXPECT_LE(middle, later);
  EXPECT_EQ(first.uses_tsc(), second.uses_tsc());
}

TEST(ManualClock, MovesOnlyWhenTold) {
  ManualClock clock;
  EXPECT_EQ(clock.now_ns(), 0U);
  clock.set_wall_offset_ns(1'000);
  clock.set_ns(5);
  EXPECT_EQ(clock.now_ns(), 5U);
  EXPECT_EQ(clock.wall_ns(), 1'005U);
}

TEST(ErrorCode, HasAWordForEach) {
  EXPECT_EQ(to_string(ErrorCode::invalid_argument), "invalid_argument");
  EXPECT_EQ(to_string(ErrorCode::configuration), "configuration");
  EXPECT_EQ(to_string(ErrorCode::identity_in_use), "identity_in_use");
  EXPECT_EQ(to_string(ErrorCode::member_absent), "member_absent");
  EXPECT_EQ(to_string(ErrorCode::member_lost), "member_lost");
  EXPECT_EQ(to_string(ErrorCode::mismatch), "mismatch");
  EXPECT_EQ(to_string(ErrorCode::oversubscribed), "oversubscribed");
  EXPECT_EQ(to_string(ErrorCode::no_memory), "no_memory");
  EXPECT_EQ(to_string(ErrorCode::input), "input");
  EXPECT_EQ(to_string(ErrorCode::system), "system");
  EXPECT_EQ(to_string(ErrorCode::not_supported), "not_supported");
  EXPECT_EQ(to_string(ErrorCode::timed_out), "timed_out");
  EXPECT_EQ(to_string(ErrorCode::state_refused), "state_refused");
}

}  // namespace
}  // namespace lockstep::runtime
