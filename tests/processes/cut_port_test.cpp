#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "runtime/clock.hpp"
#include "tests/partitions/child.hpp"
#include "tests/processes/group_fixture.hpp"
#include "tests/processes/medium.hpp"
#include "tests/processes/partitioned_member.hpp"
#include "tools/launch/shared_array.hpp"

// The network port of a busy group goes down. How to take it down is the caller's to say.

namespace lockstep::test {
namespace {

void pause(std::uint64_t ns) {
  const timespec time{static_cast<time_t>(ns / kSecond), static_cast<long>(ns % kSecond)};
  nanosleep(&time, nullptr);
}

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
  ~Port() {
    if (!cut_) return;
    EXPECT_TRUE(run_command_of("LOCKSTEP_MEND_PORT"));
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
    auto told = launch::SharedArray<Told>::create(kMembers);
    auto leave = launch::SharedArray<std::uint64_t>::create(1);
    ASSERT_TRUE(told && leave);
    told_ = std::move(*told);
    leave_ = std::move(*leave);
  }

  void start(const Load& load) {
    GroupConfig config = group_of(kMembers, 0, unique_name("cut-port"));
    connect_by(Medium::verbs, config);
    config.silence_timeout_ns = load.silence_timeout_ns;
    for (std::uint32_t rank = 0; rank < kMembers; ++rank) {
      config.self = config.members[rank];
      auto started =
          Child::start([&, rank] { return run_member(config, load, told_[rank], leave_[0]); });
      ASSERT_TRUE(started) << started.error().message;
      members_.push_back(std::move(*started));
    }
  }

  /// Waits until every member has told at least `value` in a word; false after `seconds`.
  bool wait_for(std::uint64_t Told::* word, std::uint64_t value, std::uint64_t seconds) {
    const std::uint64_t deadline_ns = clock_.now_ns() + seconds * kSecond;
    const auto all_told = [&] {
      return std::ranges::all_of(told_.elements(),
                                 [&](Told& told) { return heard(told.*word) >= value; });
    };
    while (!all_told() && clock_.now_ns() < deadline_ns) pause(kMillisecond);
    return all_told();
  }

  const runtime::TscClock clock_;
  launch::SharedArray<Told> told_;
  launch::SharedArray<std::uint64_t> leave_;
  std::vector<Child> members_;  ///< after what they use: they end first
};

TEST_F(CutPort, UnderLoadIsReportedByEveryMemberWithTheReason) {
  // Enough to be under way when the port goes down, and a silence timeout that cannot be what
  // reports it.
  const Load load{.messages = kMostMessages, .pace_ns = kMillisecond};
  ASSERT_NO_FATAL_FAILURE(start(load));
  ASSERT_TRUE(wait_for(&Told::applied, 300, 60));
  Port port;
  ASSERT_TRUE(port.cut());
  const std::uint64_t cut_ns = clock_.now_ns();
  EXPECT_TRUE(wait_for(&Told::refusal, 1, kMostSeconds));
  fmt::print("all reported {:.2f} s after the cut; m0 says: {}\n",
             static_cast<double>(clock_.now_ns() - cut_ns) / 1e9, told_[0].lost_reason);
  for (std::uint32_t rank = 0; rank < kMembers; ++rank) {
    Told& told = told_[rank];
    // Whichever is seen first: the port itself, a device that can no longer send, or writes that
    // nobody answers.
    const std::vector<std::string> reasons{"the network port of this member is down", "link failed",
                                           "does not answer"};
    EXPECT_TRUE(std::ranges::find(reasons, told.lost_reason) != reasons.end())
        << rank << " says: " << told.lost_reason;
    EXPECT_NE(told.lost_rank, rank);
    EXPECT_EQ(told.refusal, 1 + static_cast<std::uint64_t>(Outcome::not_member)) << rank;
    EXPECT_EQ(told.corrupt, 0u) << rank;
    EXPECT_LT(heard(told.applied), load.all()) << rank << " had no load any more";
  }
  announce(leave_[0], 1);
  for (std::uint32_t rank = 0; rank < kMembers; ++rank) {
    const auto code = members_[rank].wait(10 * kSecond);
    ASSERT_TRUE(code) << rank << ": " << code.error().message;
    EXPECT_EQ(*code, 0) << rank;
  }
}

}  // namespace
}  // namespace lockstep::test
