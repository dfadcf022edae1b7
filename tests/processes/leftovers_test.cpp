#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iterator>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <utility>

#include "tests/processes/group_fixture.hpp"
#include "tests/processes/medium.hpp"
#include "tools/launch/members.hpp"

// A group that has ended leaves nothing of this process behind, whether it ran or could not be
// joined: descriptors, threads, and what the kernel holds for RDMA.

namespace lockstep::test {
namespace {

using launch::As;

/// What this process holds that a group may forget to give back.
struct Holdings {
  std::size_t descriptors = 0;
  std::size_t threads = 0;
  /// Per RDMA device: queue pairs, identifiers of librdmacm, completion queues, protection domains,
  /// regions and contexts, in words. Of the whole machine; nobody else uses its devices now.
  std::string rdma;

  bool operator==(const Holdings&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Holdings& held) {
  return out << held.descriptors << " descriptors, " << held.threads << " threads; " << held.rdma;
}

std::string output_of(const char* command) {
  FILE* pipe = popen(command, "r");
  std::string output;
  std::array<char, 256> some{};
  while (pipe != nullptr && fgets(some.data(), some.size(), pipe) != nullptr) {
    output += some.data();
  }
  if (pipe != nullptr && pclose(pipe) == 0) return output;
  ADD_FAILURE() << command << " failed";
  return {};
}

std::size_t entries_of(const char* folder) {
  const std::filesystem::directory_iterator found(folder);
  return static_cast<std::size_t>(std::distance(begin(found), end(found)));
}

/// A thread that was joined may stand in the list for a moment more: the count once it has stayed
/// the same for a tenth of a second.
std::size_t threads() {
  constexpr int kSettledMs = 100;
  std::size_t count = 0;
  for (int same_ms = 0; same_ms < kSettledMs; ++same_ms) {
    const std::size_t now = entries_of("/proc/self/task");
    if (std::exchange(count, now) != now) same_ms = 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return count;
}

Holdings holdings(Medium medium) {
  return {.descriptors = entries_of("/proc/self/fd"),
          .threads = threads(),
          .rdma = medium == Medium::verbs ? output_of("rdma resource show") : ""};
}

class Leftovers : public testing::TestWithParam<Medium> {
 protected:
  static constexpr std::uint32_t kCount = 3;

  void SetUp() override {
    const std::string lack = missing(GetParam());
    if (!lack.empty()) GTEST_SKIP() << "platform limit: " << lack;
  }

  static GroupConfig new_group(const char* purpose) {
    GroupConfig config = group_of(kCount, 0, unique_name(purpose));
    connect_by(GetParam(), config);
    return config;
  }

  /// All members join, publish, deliver everything, and leave.
  static void run_a_group() {
    constexpr std::uint64_t kMessages = 50;
    const GroupConfig agreed = new_group("ran");
    std::atomic<std::uint32_t> done{0};
    run(kCount, [&](std::uint32_t rank) {
      GroupConfig config = agreed;
      config.self = config.members[rank];
      Reactor reactor({.idle = IdlePolicy::backoff});
      Observer observer;
      auto group = Group::join(reactor, config, observer);
      if (!group) return 1;
      std::uint64_t published = 0;
      bool counted = false;
      const bool all = turn_until(reactor, [&] {
        for (; published < kMessages; ++published) {
          const auto slot = group->claim(1'000);
          if (!slot) break;
          slot->publish();
        }
        if (!counted && observer.applied == kCount * kMessages) {
          counted = true;
          ++done;
        }
        return done == kCount;
      });
      return all ? 0 : 2;
    });
  }

  /// Nobody can join: the last member is configured otherwise.
  static void fail_by_mismatch() {
    GroupConfig agreed = new_group("differs");
    agreed.join_timeout_ns = 2 * kSecond;  // who meets no refusal itself waits so long
    run(kCount, [&](std::uint32_t rank) {
      GroupConfig config = agreed;
      config.self = config.members[rank];
      if (rank == kCount - 1) config.ring_bytes *= 2;
      return code_of_joining(config) == ErrorCode::mismatch || rank < kCount - 1 ? 0 : 1;
    });
  }

  /// Nobody can join: the last member never comes.
  static void fail_by_timeout() {
    GroupConfig agreed = new_group("absent");
    agreed.join_timeout_ns = kSecond / 2;
    run(kCount - 1, [&](std::uint32_t rank) {
      GroupConfig config = agreed;
      config.self = config.members[rank];
      // Who gives up first is a loss to the others.
      const auto code = code_of_joining(config);
      return code == ErrorCode::member_absent || code == ErrorCode::member_lost ? 0 : 1;
    });
  }

  /// Three times, and after a first one: libraries keep some things for the life of the process.
  template <class Round>
  static void expect_nothing_left_by(Round round) {
    ASSERT_NO_FATAL_FAILURE(run_a_group());
    const Holdings before = holdings(GetParam());
    for (int i = 0; i < 3; ++i) ASSERT_NO_FATAL_FAILURE(round());
    EXPECT_EQ(holdings(GetParam()), before);
  }

 private:
  static std::optional<ErrorCode> code_of_joining(const GroupConfig& config) {
    Reactor reactor({.idle = IdlePolicy::backoff});
    Observer observer;
    const auto group = Group::join(reactor, config, observer);
    return group ? std::nullopt : std::optional(group.error().code);
  }

  /// Threads: what they leave open stays open in this process.
  static void run(std::uint32_t count, const std::function<int(std::uint32_t)>& member) {
    const auto ends = launch::run_members(count, As::threads, 60 * kSecond, member);
    ASSERT_TRUE(ends) << ends.error().message;
    for (const auto& end : *ends) ASSERT_TRUE(end.good()) << end.rank << ": " << end.words;
  }
};

TEST_P(Leftovers, AreNotThereAfterAGroupThatRan) { expect_nothing_left_by(run_a_group); }

TEST_P(Leftovers, AreNotThereAfterAJoinThatWasRefused) { expect_nothing_left_by(fail_by_mismatch); }

TEST_P(Leftovers, AreNotThereAfterAJoinThatTimedOut) { expect_nothing_left_by(fail_by_timeout); }

INSTANTIATE_TEST_SUITE_P(Media, Leftovers,
                         testing::Values(Medium::shm, Medium::automatic, Medium::tcp, Medium::udp,
                                         Medium::verbs),
                         [](const auto& tested) { return name_of(tested.param); });

}  // namespace
}  // namespace lockstep::test
