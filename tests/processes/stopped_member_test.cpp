#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "runtime/clock.hpp"
#include "tests/partitions/child.hpp"
#include "tests/processes/group_fixture.hpp"
#include "tests/processes/medium.hpp"
#include "tests/processes/member_log.hpp"
#include "tools/launch/shared_array.hpp"

// A member that is there and reads nothing. Over verbs its device goes on acknowledging every write
// while its process is stopped: only counters that do not move tell of it. Its sender sees
// back-pressure that names it, never a hang; what follows is for the silence timeout to decide.

namespace lockstep::test {
namespace {

constexpr std::uint32_t kMembers = 3;
constexpr std::uint32_t kStopped = 1;

bool publish_one(Group& group, std::uint64_t number) {
  const std::uint64_t words[2] = {0, number};
  const auto slot = group.claim(sizeof words);
  if (!slot) return false;
  std::memcpy(slot->data(), words, sizeof words);
  slot->publish();
  return true;
}

/// This process is m0 and the only one that publishes; m1 and m2 are processes of their own.
class StoppedMember : public testing::TestWithParam<Medium> {
 protected:
  static constexpr std::uint64_t kSoonFull = 4'096;  ///< bytes of a ring

  void SetUp() override {
    const std::string lack = missing(GetParam());
    if (!lack.empty()) GTEST_SKIP() << "platform limit: " << lack;
    auto logs = launch::SharedArray<MemberLog>::create(kMembers);
    auto orders = launch::SharedArray<Orders>::create(1);
    ASSERT_TRUE(logs && orders);
    logs_ = std::move(*logs);
    orders_ = std::move(*orders);
  }

  void join(const char* purpose, std::uint64_t silence_timeout_ns,
            std::uint64_t ring_bytes = kSoonFull,
            std::uint64_t heartbeat_interval_ns = kSecond / 10) {
    GroupConfig config = group_of(kMembers, 0, unique_name(purpose));
    connect_by(GetParam(), config);
    config.ring_bytes = ring_bytes;
    config.heartbeat_interval_ns = heartbeat_interval_ns;
    config.silence_timeout_ns = silence_timeout_ns;
    for (std::uint32_t rank = 1; rank < kMembers; ++rank) {
      config.self = config.members[rank];
      auto started = Child::start([&, rank] {
        return run_logging_member(config, {.messages = 0}, logs_[rank], orders_[0]);
      });
      ASSERT_TRUE(started) << started.error().message;
      others_.push_back(std::move(*started));
    }
    config.self = config.members[0];
    auto joined = Group::join(reactor_, config, observer_);
    ASSERT_TRUE(joined) << joined.error().message;
    group_.emplace(std::move(*joined));
  }

  void signal_member(std::uint32_t rank, int number) {
    ASSERT_EQ(::kill(others_[rank - 1].pid(), number), 0);
  }

  /// Publishes until nothing could be published for half a second; returns the last refusal.
  std::optional<Refusal> publish_until_refused_for_long() {
    std::optional<Refusal> refusal;
    std::uint64_t since_ns = clock_.now_ns();
    const bool refused = turn_until(reactor_, [&] {
      while (publish_one(*group_, published_)) {
        ++published_;
        since_ns = clock_.now_ns();
      }
      return clock_.now_ns() - since_ns > kSecond / 2;
    });
    if (const auto slot = group_->claim(8); refused && !slot) refusal = slot.error();
    return refusal;
  }

  bool turn_until_all_applied() {
    return turn_until(reactor_, [&] {
      return observer_.applied == published_ &&
             std::ranges::all_of(std::vector<std::uint32_t>{1, 2}, [&](std::uint32_t rank) {
               return heard(logs_[rank].delivered) == published_;
             });
    });
  }

  void start_busy_and_stop_one(const char* purpose, std::uint64_t silence_timeout_ns) {
    ASSERT_NO_FATAL_FAILURE(join(purpose, silence_timeout_ns));
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(turn_until(reactor_, [&] { return publish_one(*group_, published_); }));
      ++published_;
    }
    signal_member(kStopped, SIGSTOP);
  }

  const runtime::TscClock clock_;
  launch::SharedArray<MemberLog> logs_;
  launch::SharedArray<Orders> orders_;
  std::vector<Child> others_;  ///< after what they use: they end first
  const std::string counters_file_ = testing::TempDir() + unique_name("lockstep-counters");
  Reactor reactor_{ReactorConfig{.idle = IdlePolicy::backoff, .counters_file = counters_file_}};
  Observer observer_;
  std::optional<Group> group_;
  std::uint64_t published_ = 0;
};

TEST_P(StoppedMember, HoldsItsSenderUpUntilItRunsAgain) {
  ASSERT_NO_FATAL_FAILURE(start_busy_and_stop_one("held-up", 30 * kSecond));
  const std::optional<Refusal> refusal = publish_until_refused_for_long();
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->outcome, Outcome::would_block);
  EXPECT_EQ(refusal->slowest_rank, kStopped);
  // Longer than a device repeats what nobody answers: somebody does.
  EXPECT_FALSE(turn_until(reactor_, [&] { return observer_.losses > 0; }, 2));
  EXPECT_LT(observer_.applied, published_);

  signal_member(kStopped, SIGCONT);
  ASSERT_TRUE(turn_until_all_applied());
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(turn_until(reactor_, [&] { return publish_one(*group_, published_); }));
    ++published_;
  }
  ASSERT_TRUE(turn_until_all_applied());
  EXPECT_EQ(observer_.losses, 0u) << observer_.lost.reason;
  for (std::uint32_t rank = 1; rank < kMembers; ++rank) {
    EXPECT_EQ(heard(logs_[rank].losses), 0u) << rank << " says: " << logs_[rank].lost_reason.data();
  }
  announce(orders_[0].end, 1);
}

TEST_P(StoppedMember, IsReportedByEverybodyWhenItStaysStopped) {
  ASSERT_NO_FATAL_FAILURE(start_busy_and_stop_one("stays", 3 * kSecond));
  const auto all_go_on = [&] { return observer_.installed.id == 2 && heard(logs_[2].view) == 2; };
  ASSERT_TRUE(turn_until(reactor_, [&] {
    if (publish_one(*group_, published_)) ++published_;
    return all_go_on();
  }));
  // Who did not miss it heard of it from the other.
  EXPECT_GT(observer_.losses + heard(logs_[2].losses), 0u);
  if (observer_.losses > 0) {
    EXPECT_EQ(observer_.lost.rank, kStopped);
    EXPECT_EQ(observer_.lost.reason, "silent for 3.0 s");
  }
  if (heard(logs_[2].losses) > 0) {
    EXPECT_EQ(logs_[2].lost, kStopped);
    EXPECT_EQ(std::string(logs_[2].lost_reason.data()), "silent for 3.0 s");
  }
  // What the stopped one held up is delivered without it.
  ASSERT_TRUE(turn_until(reactor_, [&] {
    return observer_.applied == published_ && heard(logs_[2].delivered) == published_;
  }));
  announce(orders_[0].end, 1);
  const auto code = others_[1].wait(10 * kSecond);
  ASSERT_TRUE(code) << code.error().message;
  EXPECT_EQ(*code, 0);
}

/// What only verbs has: a queue of work requests per link, of which each write takes one.
class QueueToAStoppedMember : public StoppedMember {
 protected:
  /// Publishes one message and turns until it has been sent and the member has slept: each goes out
  /// by itself, with a doorbell, as long as there is credit for doorbells.
  void publish_and_sleep() {
    ASSERT_TRUE(publish_one(*group_, published_));
    ++published_;
    for (int turn = 0; turn < 4; ++turn) {
      if (!reactor_.poll_once()) reactor_.idle(kMillisecond);
    }
  }
};

TEST_P(QueueToAStoppedMember, MayStayFullAndLosesNothing) {
  constexpr std::uint64_t kMessages = 500;
  ASSERT_NO_FATAL_FAILURE(join("queue", 60 * kSecond, 1 << 18, 5 * kMillisecond));
  ASSERT_NO_FATAL_FAILURE(publish_and_sleep());
  ASSERT_TRUE(turn_until_all_applied());
  signal_member(kStopped, SIGSTOP);
  // A doorbell beyond its receives is repeated until it posts some. All else waits behind it in the
  // queue, beats too, until there is no room.
  for (std::uint64_t i = 0; i < kMessages; ++i) ASSERT_NO_FATAL_FAILURE(publish_and_sleep());
  EXPECT_TRUE(
      turn_until(reactor_, [&] { return counted(counters_file_, ".stalls_link_full") > 0; }));
  EXPECT_FALSE(turn_until(reactor_, [&] { return observer_.losses > 0; }, 2));

  signal_member(kStopped, SIGCONT);
  ASSERT_TRUE(turn_until_all_applied());
  ASSERT_NO_FATAL_FAILURE(publish_and_sleep());
  ASSERT_TRUE(turn_until_all_applied());
  EXPECT_EQ(observer_.losses, 0u) << observer_.lost.reason;
  announce(orders_[0].end, 1);
}

INSTANTIATE_TEST_SUITE_P(Media, QueueToAStoppedMember, testing::Values(Medium::verbs),
                         [](const auto& tested) { return name_of(tested.param); });

INSTANTIATE_TEST_SUITE_P(Media, StoppedMember,
                         testing::Values(Medium::shm, Medium::automatic, Medium::tcp, Medium::udp,
                                         Medium::dpdk, Medium::verbs),
                         [](const auto& tested) { return name_of(tested.param); });

}  // namespace
}  // namespace lockstep::test
