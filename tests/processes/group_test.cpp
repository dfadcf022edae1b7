#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <thread>
#include <vector>

#include "tests/processes/group_fixture.hpp"
#include "tools/launch/members.hpp"

// The public face, on groups of one (the shortest path through everything) and of a few.

namespace lockstep::test {
namespace {

class GroupOfOne : public ::testing::Test {
 protected:
  void SetUp() override {
    auto joined = Group::join(reactor_, group_of(1, 0, unique_name("one")), observer_);
    ASSERT_TRUE(joined) << joined.error().message;
    group_.emplace(std::move(*joined));
  }
  Reactor reactor_{ReactorConfig{.idle = IdlePolicy::backoff}};
  Observer observer_;
  std::optional<Group> group_;
};

TEST_F(GroupOfOne, InstallsItsView) {
  EXPECT_EQ(observer_.installed.id, 1u);
  EXPECT_EQ(observer_.installed.members, std::vector<std::string>{"m0"});
  EXPECT_TRUE(group_->view().primary);
}

TEST_F(GroupOfOne, PayloadsFromNothingToHalfARing) {
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, group_->max_payload_bytes()}) {
    std::size_t seen = ~std::size_t{0};
    observer_.on_apply = [&](const Message& message) { seen = message.payload.size(); };
    const auto slot = group_->claim(bytes);
    ASSERT_TRUE(slot) << bytes;
    ASSERT_EQ(slot->size(), bytes);
    slot->publish(42);
    ASSERT_TRUE(turn_until(reactor_, [&] { return group_->drained(); }));
    EXPECT_EQ(seen, bytes);
  }
  const auto refused = group_->claim(group_->max_payload_bytes() + 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().outcome, Outcome::too_large);
}

TEST_F(GroupOfOne, APublishInsideApplyIsOrderedAfterIt) {
  observer_.on_apply = [&](const Message& message) {
    if (message.token >= 100) return;
    const auto slot = group_->claim(4);
    ASSERT_TRUE(slot);
    slot->publish(message.token + 1);
  };
  group_->claim(4)->publish(1);
  ASSERT_TRUE(turn_until(reactor_, [&] { return observer_.applied == 100; }));
}

TEST_F(GroupOfOne, ADroppedSlotCostsNothing) {
  for (int i = 0; i < 100'000; ++i) ASSERT_TRUE(group_->claim(1'000));
  EXPECT_TRUE(group_->drained());
}

TEST_F(GroupOfOne, AFullRingNamesTheSlowestAndRecovers) {
  std::expected<Slot, Refusal> slot = group_->claim(1'000);
  while (slot) {
    slot->publish();
    slot = group_->claim(1'000);
  }
  EXPECT_EQ(slot.error().outcome, Outcome::would_block);
  EXPECT_EQ(slot.error().slowest_rank, 0u);
  ASSERT_TRUE(turn_until(reactor_, [&] { return group_->drained(); }));
  EXPECT_TRUE(group_->claim(1'000));
}

using GroupDeathTest = GroupOfOne;
TEST_F(GroupDeathTest, PublishingASlotThatEndedIsABugAndAsserts) {
  const auto slot = group_->claim(8);
  slot->publish();
  EXPECT_DEATH(slot->publish(), "broken invariant");
}

TEST_F(GroupOfOne, OtherThreadsPostAndWakeASleeper) {
  constexpr int kThreads = 3;
  constexpr int kEach = 2'000;
  std::vector<std::thread> gateways;
  std::array<std::uint64_t, kThreads> last{};
  observer_.on_apply = [&](const Message& message) {
    std::uint64_t words[2];
    std::memcpy(words, message.payload.data(), sizeof words);
    EXPECT_EQ(words[1], last[words[0]] + 1);
    last[words[0]] = words[1];
  };
  for (std::uint64_t id = 0; id < kThreads; ++id) {
    gateways.emplace_back([&, id] {
      for (std::uint64_t i = 1; i <= kEach; ++i) {
        const std::uint64_t words[2] = {id, i};
        while (!group_->post(std::as_bytes(std::span(words)), id)) std::this_thread::yield();
      }
    });
  }
  EXPECT_TRUE(turn_until(reactor_, [&] { return observer_.applied == kThreads * kEach; }));
  for (std::thread& gateway : gateways) gateway.join();
}

TEST(Group, SeveralGroupsShareOneReactor) {
  Reactor reactor({.idle = IdlePolicy::backoff});
  Observer first, second;
  auto a = Group::join(reactor, group_of(1, 0, unique_name("a")), first);
  auto b = Group::join(reactor, group_of(1, 0, unique_name("b")), second);
  ASSERT_TRUE(a && b);
  a->claim(1)->publish();
  b->claim(1)->publish();
  b->claim(1)->publish();
  ASSERT_TRUE(turn_until(reactor, [&] { return first.applied == 1 && second.applied == 2; }));
}

TEST(Group, AMemberThatMayNotSendIsToldSo) {
  const std::string name = unique_name("quiet");
  const auto ends =
      launch::run_members(2, launch::As::threads, 60 * kSecond, [&](std::uint32_t rank) {
        GroupConfig config = group_of(2, rank, name);
        config.senders = {"m0"};
        Reactor reactor({.idle = IdlePolicy::backoff});
        Observer observer;
        auto group = Group::join(reactor, config, observer);
        if (!group) return 1;
        const auto slot = group->claim(1);
        if (slot.has_value() != (rank == 0)) return 2;
        if (!slot && slot.error().outcome != Outcome::not_sender) return 3;
        return 0;
      });
  ASSERT_TRUE(ends);
  for (const auto& end : *ends) EXPECT_TRUE(end.good()) << end.rank << ": " << end.words;
}

TEST(Group, StopEndsRunFromAnotherThread) {
  Reactor reactor({.idle = IdlePolicy::backoff});
  Observer observer;
  auto group = Group::join(reactor, group_of(1, 0, unique_name("stop")), observer);
  ASSERT_TRUE(group);
  std::thread stopper([&] {
    sleep(1);
    reactor.stop();
  });
  reactor.run();
  stopper.join();
}

}  // namespace
}  // namespace lockstep::test
