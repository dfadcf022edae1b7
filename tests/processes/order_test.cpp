#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "lockstep/lockstep.hpp"
#include "runtime/clock.hpp"
#include "tests/processes/medium.hpp"
#include "tools/launch/members.hpp"
#include "tools/launch/shared_array.hpp"

namespace lockstep {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

struct Scenario {
  const char* name;
  std::uint32_t members;
  std::uint32_t senders;  ///< the first so many
  std::size_t payload_bytes;
  std::uint64_t messages;  ///< of each sender
  IdlePolicy idle = IdlePolicy::backoff;
  launch::As as = launch::As::processes;
  std::uint64_t ring_bytes = 1 << 16;
  test::Medium medium = test::Medium::shm;
};

std::ostream& operator<<(std::ostream& out, const Scenario& s) { return out << s.name; }

struct Result {
  std::uint64_t digest;
  std::uint64_t applied;
  std::uint64_t corrupt;
  std::uint64_t clock_went_back;
};

/// Checks every message against what its sender must have written, and digests the order.
class Recorder final : public StateMachine {
 public:
  explicit Recorder(Result& result) : result_(result) {}
  void apply(const Message& message) override {
    std::uint64_t head[2] = {message.sender, next_of_[message.sender]++};
    const std::size_t known = std::min(sizeof head, message.payload.size());
    if (std::memcmp(message.payload.data(), head, known) != 0) ++result_.corrupt;
    for (const std::byte b : message.payload.subspan(known)) {
      if (b != static_cast<std::byte>(head[1])) ++result_.corrupt;
    }
    if (message.timestamp_ns < last_timestamp_) ++result_.clock_went_back;
    last_timestamp_ = message.timestamp_ns;
    result_.digest = (result_.digest ^ (message.sequence * 64 + message.sender)) * 0x100000001b3u;
    ++result_.applied;
    if (message.mine && message.token != head[1] + 7) ++result_.corrupt;
  }
  void member_unreachable(const MemberUnreachable& lost_member) override {
    fmt::print(stderr, "{}\n", lost_member.reason);
    lost = true;
  }
  bool lost = false;

 private:
  Result& result_;
  std::uint64_t next_of_[kMaxMembers] = {};
  std::uint64_t last_timestamp_ = 0;
};

bool publish_one(Group& group, const Scenario& scenario, std::uint64_t number) {
  const auto slot = group.claim(scenario.payload_bytes);
  if (!slot) return false;
  const std::uint64_t head[2] = {group.view().my_rank, number};
  const std::size_t known = std::min(sizeof head, slot->size());
  std::memcpy(slot->data(), head, known);
  std::fill(slot->payload().begin() + static_cast<std::ptrdiff_t>(known), slot->payload().end(),
            static_cast<std::byte>(number));
  slot->publish(number + 7);
  return true;
}

GroupConfig group_for(const Scenario& scenario) {
  GroupConfig config;
  config.name = fmt::format("order-{}-{}", getpid(), scenario.name);
  for (std::uint32_t i = 0; i < scenario.members; ++i) {
    config.members.push_back(fmt::format("m{}", i));
    if (i < scenario.senders) config.senders.push_back(config.members.back());
  }
  config.ring_bytes = scenario.ring_bytes;
  test::connect_by(scenario.medium, config);
  return config;
}

int run_member(const Scenario& scenario, GroupConfig config, std::uint32_t rank, Result& result,
               std::atomic_ref<std::uint64_t> done) {
  config.self = config.members[rank];
  Reactor reactor({.idle = scenario.idle});
  Recorder recorder(result);
  auto group = Group::join(reactor, config, recorder);
  if (!group) {
    fmt::print(stderr, "{}\n", group.error().message);
    return 1;
  }
  const runtime::TscClock clock;
  const std::uint64_t deadline = clock.now_ns() + 60 * kSecond;
  const std::uint64_t expected = scenario.senders * scenario.messages;
  std::uint64_t published = rank < scenario.senders ? 0 : scenario.messages;
  bool counted = false;
  while (done.load() < scenario.members) {
    while (published < scenario.messages && publish_one(*group, scenario, published)) ++published;
    if (!counted && result.applied == expected) {
      counted = true;
      done.fetch_add(1);
    }
    // Poll rather than sleep long: `done` rings no bell.
    if (!reactor.poll_once()) reactor.idle(kSecond / 1'000);
    if (recorder.lost && !counted) return 3;
    if (clock.now_ns() > deadline) return 2;
  }
  return 0;
}

class Order : public ::testing::TestWithParam<Scenario> {};

TEST_P(Order, IsTheSameEverywhereAndLosesNothing) {
  const Scenario& scenario = GetParam();
  const std::string lack = test::missing(scenario.medium);
  if (!lack.empty()) GTEST_SKIP() << "platform limit: " << lack;
  auto results = launch::SharedArray<Result>::create(scenario.members);
  auto done = launch::SharedArray<std::uint64_t>::create(1);
  ASSERT_TRUE(results && done);
  const GroupConfig config = group_for(scenario);
  const auto ends =
      launch::run_members(scenario.members, scenario.as, 90 * kSecond, [&](std::uint32_t rank) {
        return run_member(scenario, config, rank, (*results)[rank],
                          std::atomic_ref<std::uint64_t>((*done)[0]));
      });
  ASSERT_TRUE(ends) << ends.error().message;
  for (const launch::MemberEnd& end : *ends) EXPECT_TRUE(end.good()) << end.rank << end.words;
  for (std::uint32_t rank = 0; rank < scenario.members; ++rank) {
    const Result& result = (*results)[rank];
    EXPECT_EQ(result.applied, scenario.senders * scenario.messages) << rank;
    EXPECT_EQ(result.digest, (*results)[0].digest) << rank;
    EXPECT_EQ(result.corrupt, 0u) << rank;
    EXPECT_EQ(result.clock_went_back, 0u) << rank;
  }
}

std::string name_of(const testing::TestParamInfo<Scenario>& tested) { return tested.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Shm, Order,
    ::testing::Values(
        Scenario{"alone", 1, 1, 64, 10'000}, Scenario{"pair", 2, 2, 64, 50'000},
        Scenario{"one_sender", 3, 1, 64, 50'000}, Scenario{"all_senders", 3, 3, 64, 50'000},
        Scenario{"two_of_four", 4, 2, 200, 20'000}, Scenario{"empty", 3, 3, 0, 20'000},
        Scenario{"half_a_ring", 3, 2, (1 << 15) - 32, 2'000},
        Scenario{"tiny_rings", 3, 3, 1'000, 10'000, IdlePolicy::backoff, launch::As::processes,
                 4'096},
        Scenario{"yielding", 3, 3, 64, 5'000, IdlePolicy::yield},
        Scenario{"threads", 3, 3, 64, 20'000, IdlePolicy::backoff, launch::As::threads},
        Scenario{"seven", 7, 7, 32, 3'000}),
    name_of);

Scenario over(test::Medium medium, Scenario scenario) {
  scenario.medium = medium;
  return scenario;
}

INSTANTIATE_TEST_SUITE_P(
    Tcp, Order,
    ::testing::Values(over(test::Medium::tcp, {"pair", 2, 2, 64, 50'000}),
                      over(test::Medium::tcp, {"one_sender", 3, 1, 64, 20'000}),
                      over(test::Medium::tcp, {"all_senders", 3, 3, 64, 50'000}),
                      over(test::Medium::tcp, {"empty", 3, 3, 0, 20'000}),
                      over(test::Medium::tcp, {"half_a_ring", 3, 2, (1 << 15) - 32, 2'000}),
                      over(test::Medium::tcp,
                           {"large_rings", 2, 2, 100'000, 2'000, IdlePolicy::backoff,
                            launch::As::processes, 1 << 20}),
                      over(test::Medium::tcp, {"tiny_rings", 3, 3, 1'000, 5'000,
                                               IdlePolicy::backoff, launch::As::processes, 4'096}),
                      over(test::Medium::tcp, {"yielding", 3, 3, 64, 2'000, IdlePolicy::yield}),
                      over(test::Medium::tcp,
                           {"threads", 3, 3, 64, 20'000, IdlePolicy::backoff, launch::As::threads}),
                      over(test::Medium::tcp, {"seven", 7, 7, 32, 1'000})),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Udp, Order,
    ::testing::Values(over(test::Medium::udp, {"pair", 2, 2, 64, 50'000}),
                      over(test::Medium::udp, {"all_senders", 3, 3, 64, 50'000}),
                      over(test::Medium::udp, {"half_a_ring", 3, 2, (1 << 15) - 32, 2'000}),
                      over(test::Medium::udp,
                           {"large_rings", 2, 2, 100'000, 2'000, IdlePolicy::backoff,
                            launch::As::processes, 1 << 20}),
                      over(test::Medium::udp, {"tiny_rings", 3, 3, 1'000, 5'000,
                                               IdlePolicy::backoff, launch::As::processes, 4'096}),
                      over(test::Medium::udp, {"yielding", 3, 3, 64, 2'000, IdlePolicy::yield}),
                      over(test::Medium::udp, {"seven", 7, 7, 32, 1'000})),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Dpdk, Order,
    ::testing::Values(over(test::Medium::dpdk, {"pair", 2, 2, 64, 20'000}),
                      over(test::Medium::dpdk, {"all_senders", 3, 3, 64, 20'000}),
                      over(test::Medium::dpdk, {"half_a_ring", 3, 2, (1 << 15) - 32, 500})),
    name_of);

// Inside ci/soft-roce, where every instruction is emulated: few messages.
INSTANTIATE_TEST_SUITE_P(
    Verbs, Order,
    ::testing::Values(over(test::Medium::verbs, {"pair", 2, 2, 64, 2'000}),
                      over(test::Medium::verbs, {"one_sender", 3, 1, 64, 1'000}),
                      over(test::Medium::verbs, {"all_senders", 3, 3, 64, 1'000}),
                      over(test::Medium::verbs, {"half_a_ring", 2, 2, (1 << 15) - 32, 200}),
                      over(test::Medium::verbs,
                           {"tiny_rings", 3, 3, 1'000, 500, IdlePolicy::backoff,
                            launch::As::processes, 4'096})),
    name_of);

}  // namespace
}  // namespace lockstep
