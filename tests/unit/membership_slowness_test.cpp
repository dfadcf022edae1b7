#include <gtest/gtest.h>

#include <array>

#include "membership/slowness.hpp"

namespace lockstep::membership {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kTick = 10 * kMillisecond;

class SlownessTest : public testing::Test {
 protected:
  /// Who became slow in `ticks` looks, while rank 1 of three lags by `lag`.
  std::uint64_t look(int ticks, std::uint64_t lag) {
    std::uint64_t newly = 0;
    for (int i = 0; i < ticks; ++i) {
      now_ns_ += kTick;
      newly |= slowness_.look(std::array<std::uint64_t, 3>{0, lag, 99}, now_ns_);
    }
    return newly;
  }

  Slowness slowness_{{.lag = 100, .timeout_ns = 1'000 * kMillisecond}};
  std::uint64_t now_ns_ = 5;
};

TEST_F(SlownessTest, IsToldOnceAfterTheTimeout) {
  EXPECT_EQ(look(100, 100), 0u);
  EXPECT_EQ(look(1, 100), 0b010u);
  EXPECT_EQ(look(500, 100'000), 0u);
  EXPECT_EQ(slowness_.slow(), 0b010u);
}

TEST_F(SlownessTest, ALittleBehindIsNotSlow) { EXPECT_EQ(look(10'000, 99), 0u); }

TEST_F(SlownessTest, WhoCatchesUpMayBecomeSlowAgain) {
  EXPECT_EQ(look(200, 100), 0b010u);
  look(25, 0);
  EXPECT_EQ(slowness_.slow(), 0u);
  EXPECT_EQ(look(200, 100), 0b010u);
}

// A process that runs for one millisecond in ten is up to date at every tenth look or so.
TEST_F(SlownessTest, WhoCatchesUpForAMomentNowAndThenIsSlow) {
  std::uint64_t newly = 0;
  for (int i = 0; i < 100; ++i) newly |= look(9, 500) | look(1, 0);
  EXPECT_EQ(newly, 0b010u);
}

// One that shares its CPU with another is behind half of the time.
TEST_F(SlownessTest, WhoIsBehindHalfOfTheTimeIsNotSlow) {
  std::uint64_t newly = 0;
  for (int i = 0; i < 1'000; ++i) newly |= look(3, 500) | look(3, 0);
  EXPECT_EQ(newly, 0u);
}

TEST_F(SlownessTest, AViewBeginsAnew) {
  EXPECT_EQ(look(90, 100), 0u);
  slowness_.begin_anew();
  EXPECT_EQ(look(90, 100), 0u);
}

TEST(Slowness, ALagOfNothingTurnsItOff) {
  Slowness slowness({.lag = 0, .timeout_ns = kMillisecond});
  for (std::uint64_t now_ns = 1; now_ns < 100 * kTick; now_ns += kTick) {
    EXPECT_EQ(slowness.look(std::array<std::uint64_t, 1>{1'000'000}, now_ns), 0u);
  }
}

}  // namespace
}  // namespace lockstep::membership
