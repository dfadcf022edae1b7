#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <utility>

#include "runtime/duty.hpp"
#include "runtime/reactor.hpp"

namespace lockstep::runtime {
namespace {

constexpr std::uint64_t kBriefly = 100'000;

/// Does nothing, or in one turn something; counts how often the reactor slept.
class Nothing final : public Duty {
 public:
  bool step(std::uint64_t /*now_ns*/) override { return std::exchange(busy, false); }
  bool prepare_to_sleep() noexcept override { return may_sleep; }
  void woke() noexcept override { ++slept; }
  [[nodiscard]] std::uint64_t deadline_ns() const noexcept override { return ~std::uint64_t{0}; }
  [[nodiscard]] std::span<const int> descriptors() const noexcept override { return {}; }

  bool busy = false;
  bool may_sleep = true;
  std::uint32_t slept = 0;
};

class Backoff : public testing::Test {
 protected:
  static constexpr std::uint32_t kYields = 4;
  /// The first notes since when, then the yields.
  static constexpr std::uint32_t kAwake = 1 + kYields;

  Backoff() { reactor_.attach(nothing_); }
  ~Backoff() override { reactor_.detach(nothing_); }

  void turn(std::uint32_t times) {
    for (std::uint32_t i = 0; i < times; ++i) {
      if (!reactor_.poll_once()) reactor_.idle(kBriefly);
    }
  }

  Nothing nothing_;
  Reactor reactor_{{.idle = IdlePolicy::backoff, .backoff_spin_ns = 0, .backoff_yields = kYields}};
};

TEST_F(Backoff, StaysAwakeForAWhileThenSleeps) {
  turn(kAwake);
  EXPECT_EQ(nothing_.slept, 0U);
  turn(1);
  EXPECT_EQ(nothing_.slept, 1U);
}

TEST_F(Backoff, WokenForNothingItSleepsAgainAtOnce) {
  turn(kAwake + 10);
  EXPECT_EQ(nothing_.slept, 10U);
}

TEST_F(Backoff, WokenForSomethingItStaysAwakeAgain) {
  turn(kAwake + 1);
  nothing_.busy = true;
  turn(1 + kAwake);
  EXPECT_EQ(nothing_.slept, 1U);
  turn(1);
  EXPECT_EQ(nothing_.slept, 2U);
}

TEST_F(Backoff, WhoMayNotSleepYieldsBetweenAttempts) {
  nothing_.may_sleep = false;
  turn(kAwake + 1);
  nothing_.may_sleep = true;
  turn(kAwake);
  EXPECT_EQ(nothing_.slept, 0U);
  turn(1);
  EXPECT_EQ(nothing_.slept, 1U);
}

}  // namespace
}  // namespace lockstep::runtime
