#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "runtime/clock.hpp"
#include "tests/processes/group_fixture.hpp"
#include "tests/processes/ledger_group.hpp"
#include "tests/processes/medium.hpp"
#include "tests/processes/running_group.hpp"

// The network port of a busy group goes down. How to take it down is the caller's to say.

namespace lockstep::test {
namespace {

/// Runs the command in an environment variable; false if it failed.
bool run_command_of(const char* variable) {
  return std::system(std::getenv(variable)) == 0;  // NOLINT(cert-env33-c): the caller's own
}

/// Cuts the port when told to, and mends it at its end, whatever became of the test.
class Port {
 public:
  [[nodiscard]] bool cut() {
    cut_ = true;
    return run_command_of("LOCKSTEP_CUT_PORT");
  }
  [[nodiscard]] bool mend() {
    cut_ = false;
    return run_command_of("LOCKSTEP_MEND_PORT");
  }
  ~Port() {
    if (!cut_) return;
    EXPECT_TRUE(mend());
  }

 private:
  bool cut_ = false;
};

/// Writes that nobody answers take half a second. More than two would be a member that waits for
/// its device instead of turning: Soft-RoCE takes 3 s to destroy a queue pair here.
constexpr std::uint64_t kMostSeconds = 2;

class CutPort : public testing::Test {
 protected:
  void SetUp() override {
    const std::string lack = missing(Medium::verbs);
    if (!lack.empty()) GTEST_SKIP() << "platform limit: " << lack;
    if (std::getenv("LOCKSTEP_CUT_PORT") == nullptr ||
        std::getenv("LOCKSTEP_MEND_PORT") == nullptr) {
      GTEST_SKIP() << "platform limit: no LOCKSTEP_CUT_PORT and LOCKSTEP_MEND_PORT, commands for "
                      "the port of 10.77.0.1";
    }
  }

  RunningGroup group_;
};

TEST_F(CutPort, UnderLoadIsReportedByEveryMemberAndAllWait) {
  GroupConfig config = group_of(3, 0, unique_name("cut-port"));
  connect_by(Medium::verbs, config);
  // It cannot be what reports the cut.
  config.silence_timeout_ns = 60 * kSecond;
  ASSERT_NO_FATAL_FAILURE(group_.start(config, {{.pace_ns = kMillisecond}}));
  ASSERT_TRUE(group_.wait_for_progress(group_.everyone(), 300, 60));
  const runtime::TscClock clock;
  Port port;
  ASSERT_TRUE(port.cut());
  const std::uint64_t cut_ns = clock.now_ns();
  EXPECT_TRUE(group_.wait_until(
      [&] {
        return std::ranges::all_of(group_.everyone(), [&](std::uint32_t member) {
          return heard(group_.log(member).losses) > 0;
        });
      },
      kMostSeconds));
  fmt::print("all reported {:.2f} s after the cut; m0 says: {}\n",
             static_cast<double>(clock.now_ns() - cut_ns) / 1e9, group_.log(0).lost_reason.data());
  for (const std::uint32_t member : group_.everyone()) {
    // Whichever is seen first: the port itself, a device that can no longer send, or writes that
    // nobody answers.
    const std::vector<std::string> reasons{"the network port of this member is down", "link failed",
                                           "does not answer"};
    EXPECT_TRUE(std::ranges::find(reasons, group_.log(member).lost_reason.data()) != reasons.end())
        << member << " says: " << group_.log(member).lost_reason.data();
    EXPECT_NE(group_.log(member).lost, member);
  }
  // The port is behind every link here: nobody hears anybody, so everybody waits.
  ASSERT_TRUE(group_.wait_until([&] {
    return std::ranges::all_of(group_.everyone(), [&](std::uint32_t member) {
      return heard(group_.log(member).quorums_lost) == 1;
    });
  }));
  for (const std::uint32_t member : group_.everyone()) {
    EXPECT_EQ(heard(group_.log(member).view), 1u) << member;
  }
  ASSERT_NO_FATAL_FAILURE(group_.end_and_judge());
}

// No queue pair comes back by itself, and nobody has a quorum that could go on without the others.
TEST_F(CutPort, AllGoOnWhenItIsBack) {
  GroupConfig config = group_of(3, 0, unique_name("port-back"));
  connect_by(Medium::verbs, config);
  LedgerGroup group(config, {.ballast_bytes = 10'000});
  ASSERT_TRUE(group.start_all({0, 1, 2}));
  Port port;
  ASSERT_TRUE(port.cut());
  for (const std::uint32_t member : {0U, 1U, 2U}) {
    ASSERT_TRUE(group.wait_until([&] { return group.words(member).quorums_lost == 1; })) << member;
  }
  const std::uint64_t applied = heard(group.words(0).applied);
  ASSERT_TRUE(port.mend());
  ASSERT_TRUE(group.wait_until([&] { return heard(group.words(0).applied) > applied; }));
  ASSERT_TRUE(group.wait_for({0, 1, 2}));
  EXPECT_GE(group.words(0).view, 2u) << "a link that broke ends in a view";
  ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 1, 2}));
}

}  // namespace
}  // namespace lockstep::test
