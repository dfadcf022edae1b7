#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/partitions/make_network.hpp"
#include "tests/partitions/partitions.hpp"
#include "tests/processes/group_fixture.hpp"
#include "tests/processes/ledger_group.hpp"
#include "tests/processes/running_group.hpp"

// Groups of transport "auto" on two hosts, which are networks of this one: members of one of them
// share memory, those of different ones speak TCP. What happens to one medium is no concern of the
// other.

namespace lockstep::test {
namespace {

/// As docs/counters.md numbers them.
constexpr std::uint64_t kShm = 1;
constexpr std::uint64_t kTcp = 2;
constexpr std::uint64_t kOutOfReach = 3;

/// Each member publishes a thousand messages a second, at most.
constexpr Load kLoad{.pace_ns = kMillisecond};

/// Members 0 and 1 on the first host, the others on the second.
class MixedMedia : public testing::Test {
 protected:
  void SetUp() override { make_network(2, network_); }

  static std::uint32_t host_of(std::uint32_t member) { return member < 2 ? 0 : 1; }

  GroupConfig config_for(std::uint32_t members) const {
    GroupConfig config = group_of(members, 0, unique_name("mixed"));
    config.transport = "auto";
    config.silence_timeout_ns = 2 * kSecond;
    for (std::uint32_t member = 0; member < members; ++member) {
      config.addresses.push_back(
          fmt::format("{}:{}", network_->address(host_of(member)), 7'000 + member));
    }
    return config;
  }
  RunningGroup::Start on_its_host() {
    return [&](std::uint32_t member, const std::function<int()>& body) {
      return network_->start_in(host_of(member), body);
    };
  }
  void start_and_wait_until_busy(std::uint32_t members) {
    ASSERT_NO_FATAL_FAILURE(group_.start(config_for(members), {kLoad}, on_its_host()));
    ASSERT_TRUE(group_.wait_for_progress(group_.everyone(), 300));
  }
  void expect_to_lose(std::uint32_t member, const std::vector<std::uint32_t>& others) {
    ASSERT_TRUE(group_.wait_for_view(others));
    ASSERT_TRUE(group_.wait_for_progress(others, 300));
    ASSERT_NO_FATAL_FAILURE(group_.expect_to_settle(others));
    // Who did not miss it heard of it from another.
    std::uint64_t lost = 0;
    for (const std::uint32_t other : others) lost |= group_.log(other).last_lost;
    EXPECT_EQ(lost, mask_of({member}));
  }

  std::optional<Partitions> network_;
  RunningGroup group_;  ///< after the networks: members end first
};

TEST_F(MixedMedia, OrdersAcrossBoth) {
  ASSERT_NO_FATAL_FAILURE(group_.start(config_for(4), {{.messages = 5'000}}, on_its_host()));
  ASSERT_TRUE(group_.wait_for_progress(group_.everyone(), 4 * 5'000));
  for (const std::uint32_t member : group_.everyone()) {
    EXPECT_EQ(heard(group_.log(member).losses), 0u) << group_.log(member).lost_reason.data();
  }
  ASSERT_NO_FATAL_FAILURE(group_.expect_to_settle({0, 1, 2, 3}));
}

TEST_F(MixedMedia, AMemberThatSharedMemoryDies) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait_until_busy(3));
  group_.kill(1);
  expect_to_lose(1, {0, 2});
}

TEST_F(MixedMedia, AMemberOfTheOtherHostDies) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait_until_busy(3));
  group_.kill(2);
  expect_to_lose(2, {0, 1});
}

TEST_F(MixedMedia, AStoppedMemberIsLeftOutWhicheverMediumItIsBy) {
  for (const std::uint32_t stopped : {1U, 2U}) {
    std::vector<std::uint32_t> others{0, 1, 2};
    std::erase(others, stopped);
    LedgerGroup group(config_for(3), {.ballast_bytes = 10'000}, on_its_host());
    ASSERT_TRUE(group.start_all({0, 1, 2}));
    group.signal(stopped, SIGSTOP);
    ASSERT_TRUE(group.wait_for(others)) << stopped;
    group.signal(stopped, SIGCONT);
    ASSERT_TRUE(group.wait_for({0, 1, 2})) << stopped;
    ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 1, 2}));
  }
}

TEST_F(MixedMedia, WhoWasKilledComesBackWithTheState) {
  LedgerGroup group(config_for(4), {.ballast_bytes = 1'000'000}, on_its_host());
  ASSERT_TRUE(group.start_all({0, 1, 2, 3}));
  for (const std::uint32_t member : {1U, 3U, 0U}) {
    std::vector<std::uint32_t> others{0, 1, 2, 3};
    std::erase(others, member);
    group.kill(member);
    ASSERT_TRUE(group.wait_for(others)) << member;
    group.start(member);
    ASSERT_TRUE(group.wait_for({0, 1, 2, 3})) << member;
  }
  ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 1, 2, 3}));
}

TEST_F(MixedMedia, TheHostWithMostMembersGoesOnWhenTheyAreCutOff) {
  LedgerGroup group(config_for(3), {.ballast_bytes = 10'000}, on_its_host());
  ASSERT_TRUE(group.start_all({0, 1, 2}));
  ASSERT_TRUE(network_->cut(0, 1));
  ASSERT_TRUE(group.wait_for({0, 1}));
  ASSERT_TRUE(group.wait_until([&] { return group.words(2).quorums_lost >= 1; }));
  ASSERT_TRUE(network_->heal());
  ASSERT_TRUE(group.wait_for({0, 1, 2}));
  ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 1, 2}));
}

// The half with the first rank goes on. Links over TCP are given up, those in memory stay as they
// were; at the end all four are in the group again.
TEST_F(MixedMedia, OfTwoHostsOfEqualSizeOneGoesOnAndTheOtherComesBack) {
  GroupConfig config = config_for(4);
  config.silence_timeout_ns = kSecond;
  LedgerGroup group(config, {.ballast_bytes = 10'000}, on_its_host());
  ASSERT_TRUE(group.start_all({0, 1, 2, 3}));
  ASSERT_TRUE(network_->cut(0, 1));
  for (const std::uint32_t member : {2U, 3U}) {
    ASSERT_TRUE(group.wait_until([&] { return group.words(member).quorums_lost >= 1; })) << member;
  }
  ASSERT_TRUE(group.wait_for({0, 1}));
  pause_ns(8 * kSecond);  // the connections are given up after five
  ASSERT_TRUE(network_->heal());
  ASSERT_TRUE(group.wait_for({0, 1, 2, 3}));
  ASSERT_NO_FATAL_FAILURE(group.expect_to_settle({0, 1, 2, 3}));
}

/// A member in the network of `host` that turns until it is killed and shows its counters.
Expected<Child> start_counting(const Partitions& network, std::uint32_t host,
                               const GroupConfig& config, const std::string& counters_file) {
  return network.start_in(host, [&, config, counters_file] {
    Reactor reactor({.idle = IdlePolicy::backoff, .counters_file = counters_file});
    Observer observer;
    auto group = Group::join(reactor, config, observer);
    if (!group) fmt::print(stderr, "{}\n", group.error().message);
    if (group) reactor.run();
    return 1;
  });
}

TEST_F(MixedMedia, EachMemberShowsWhatItChoseAndWhy) {
  GroupConfig config = config_for(3);
  std::vector<std::string> files;
  std::vector<Child> children;
  for (std::uint32_t member = 0; member < 3; ++member) {
    config.self = config.members[member];
    files.push_back(testing::TempDir() + config.name + config.self);
    auto started = start_counting(*network_, host_of(member), config, files.back());
    ASSERT_TRUE(started) << started.error().message;
    children.push_back(std::move(*started));
  }
  const auto value = [&](std::uint32_t of, const char* what, std::uint32_t peer) {
    const auto readings = read_counters(files[of]);
    const std::string name =
        fmt::format("group.{}.{}_of.{}", config.name, what, config.members[peer]);
    if (!readings) return std::uint64_t{0};
    for (const CounterReading& reading : *readings) {
      if (reading.name == name) return reading.value;
    }
    return std::uint64_t{0};
  };
  const runtime::TscClock clock;
  const std::uint64_t deadline_ns = clock.now_ns() + 30 * kSecond;
  const auto all_there = [&] {
    for (std::uint32_t member = 0; member < 3; ++member) {
      for (std::uint32_t peer = 0; peer < 3; ++peer) {
        if (peer != member && value(member, "medium", peer) == 0) return false;
      }
    }
    return true;
  };
  while (!all_there() && clock.now_ns() < deadline_ns) pause_ns(10 * kMillisecond);
  for (std::uint32_t member = 0; member < 3; ++member) {
    for (std::uint32_t peer = 0; peer < 3; ++peer) {
      if (peer == member) continue;
      const bool near = host_of(member) == host_of(peer);
      EXPECT_EQ(value(member, "medium", peer), near ? kShm : kTcp) << member << " to " << peer;
      EXPECT_EQ(value(member, "no_shm", peer), near ? 0 : kOutOfReach) << member << " to " << peer;
      EXPECT_EQ(value(member, "no_verbs", peer) != 0, !near) << member << " to " << peer;
      EXPECT_EQ(value(member, "encrypted", peer), 0U);
    }
  }
  for (Child& child : children) child.kill();
  for (const std::string& file : files) std::filesystem::remove(file);
}

}  // namespace
}  // namespace lockstep::test
