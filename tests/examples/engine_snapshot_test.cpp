#include "examples/matching_engine/engine_snapshot.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "examples/matching_engine/engine.hpp"
#include "examples/matching_engine/generator.hpp"
#include "tests/unit/node_snapshot_pieces.hpp"

namespace lockstep::examples {
namespace {

using tests::load_in_pieces;
using tests::MemoryWriter;

constexpr std::uint32_t kMostOrders = 1 << 12;

std::vector<OrderMessage> generated(std::uint64_t count) {
  OrderGenerator generator(7, count);
  std::vector<OrderMessage> orders(count);
  EXPECT_EQ(generator.next(orders).value_or(0), count);
  return orders;
}

void apply_all(MatchingEngine& engine, std::span<const OrderMessage> orders) {
  for (const OrderMessage& order : orders) engine.apply(order);
}

/// What `engine` saves, `budget` bytes a call; `between` runs after every call but the last.
std::string saved(MatchingEngine& engine, std::size_t budget,
                  const std::function<void()>& between = {}) {
  MemoryWriter writer(budget, budget);
  for (bool first = true;; first = false) {
    writer.begin_call(first);
    if (engine.save(writer)) return writer.bytes;
    if (between) between();
  }
}

std::string text_of(const EngineSnapshot& snapshot) {
  const std::vector<std::byte> bytes = encode(snapshot);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Two orders at rest, and nothing that is wrong with them.
EngineSnapshot small_snapshot() {
  EngineSnapshot snapshot{.most_orders = kMostOrders, .orders = 2, .events_digest = 5};
  snapshot.events_by_kind[static_cast<std::size_t>(EventKind::accepted)] = 2;
  snapshot.resting = {{.order_id = 1, .price = 10, .quantity = 3, .instrument = 0},
                      {.order_id = 2, .price = 11, .quantity = 4, .side = Side::sell}};
  return snapshot;
}

TEST(EngineSnapshot, OneLoadedMidFlowGoesOnLikeTheOther) {
  const auto orders = generated(20'000);
  for (const std::size_t at : {std::size_t{0}, std::size_t{1}, std::size_t{9'999}}) {
    MatchingEngine donor(kMostOrders);
    apply_all(donor, std::span(orders).first(at));
    const std::string state = saved(donor, 1'000);
    MatchingEngine joiner(kMostOrders);
    apply_all(joiner, std::span(orders).last(500));  // what it holds must not show afterwards
    ASSERT_EQ(load_in_pieces(joiner, state, 333), "");
    EXPECT_EQ(joiner.digest(), donor.digest());
    EXPECT_EQ(joiner.counts(), donor.counts());
    apply_all(donor, std::span(orders).subspan(at));
    apply_all(joiner, std::span(orders).subspan(at));
    EXPECT_EQ(joiner.digest(), donor.digest());
    EXPECT_EQ(joiner.counts(), donor.counts());
    EXPECT_GT(joiner.book().size(), 0U);
  }
}

TEST(EngineSnapshot, EqualEnginesGiveEqualBytesHoweverTheirPoolsLie) {
  MatchingEngine donor(kMostOrders);
  apply_all(donor, generated(5'000));
  const std::string state = saved(donor, 1 << 20);
  MatchingEngine joiner(kMostOrders);
  ASSERT_EQ(load_in_pieces(joiner, state, state.size()), "");
  EXPECT_EQ(saved(joiner, 77), state);
}

TEST(EngineSnapshot, WhatIsAppliedWhileItIsWrittenBelongsToLater) {
  const auto orders = generated(6'000);
  MatchingEngine donor(kMostOrders);
  apply_all(donor, std::span(orders).first(5'000));
  const std::string state = saved(donor, 1 << 20);
  std::size_t next = 5'000;
  EXPECT_EQ(saved(donor, 20,
                  [&] {
                    if (next < orders.size()) donor.apply(orders[next++]);
                  }),
            state);
  EXPECT_GT(next, 5'010U);
}

TEST(EngineSnapshot, TheEndOfTheInputIsPartOfIt) {
  MatchingEngine donor(kMostOrders);
  donor.apply(OrderMessage{.kind = OrderKind::end_of_input});
  MatchingEngine joiner(kMostOrders);
  ASSERT_EQ(load_in_pieces(joiner, saved(donor, 1 << 20), 1 << 20), "");
  EXPECT_TRUE(joiner.finished());
}

TEST(EngineSnapshot, WhatIsTruncatedOrTooLongIsRefused) {
  const std::string state = text_of(small_snapshot());
  MatchingEngine engine(kMostOrders);
  ASSERT_EQ(load_in_pieces(engine, state, 16), "");
  for (std::size_t size = 0; size < state.size(); ++size) {
    EXPECT_NE(load_in_pieces(engine, state.substr(0, size), 50), "") << size;
  }
  EXPECT_NE(load_in_pieces(engine, state + "x", 50), "");
  const std::string endless(most_snapshot_bytes(kMostOrders) + 1, 'x');
  EXPECT_NE(load_in_pieces(engine, endless, 1 << 12).find("more than the"), std::string::npos);
}

TEST(EngineSnapshot, EveryDamagedByteIsSeen) {
  const std::string state = text_of(small_snapshot());
  for (std::size_t at = 0; at < state.size(); ++at) {
    std::string damaged = state;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    MatchingEngine engine(kMostOrders);
    EXPECT_NE(load_in_pieces(engine, damaged, 64), "") << "byte " << at;
  }
}

TEST(EngineSnapshot, StatesThatNoEngineCanBeInAreRefused) {
  using Change = std::function<void(EngineSnapshot&)>;
  const std::vector<std::pair<std::string_view, Change>> changes{
      {"--book-orders", [](auto& state) { state.most_orders *= 2; }},
      {"cannot have happened", [](auto& state) { state.events_by_kind[0] = 1; }},
      {"cannot have happened", [](auto& state) { state.unknown_executions = 1; }},
      {"cannot have happened", [](auto& state) { state.events_by_kind[1] = 1; }},
      {"price 0", [](auto& state) { state.resting[1].price = 0; }},
      {"quantity 0", [](auto& state) { state.resting[0].quantity = 0; }},
      {"side 0", [](auto& state) { state.resting[0].side = Side{0}; }},
      {"side 3", [](auto& state) { state.resting[0].side = Side{3}; }},
      {"id 1, price 11", [](auto& state) { state.resting[1].order_id = 1; }},
      {"price 10, quantity 4", [](auto& state) { state.resting[1].price = 10; }}};
  for (const auto& [words, change] : changes) {
    EngineSnapshot state = small_snapshot();
    change(state);
    MatchingEngine engine(kMostOrders);
    const std::string failure = load_in_pieces(engine, text_of(state), 64);
    EXPECT_NE(failure.find(words), std::string::npos) << words << ": " << failure;
    EXPECT_EQ(engine.book().size(), 0U) << words;
  }
}

TEST(EngineSnapshot, MoreOrdersThanThereIsRoomForAreRefused) {
  EngineSnapshot state{.most_orders = 1};
  state.events_by_kind[static_cast<std::size_t>(EventKind::accepted)] = 2;
  state.resting = small_snapshot().resting;
  MatchingEngine engine(1);
  EXPECT_NE(load_in_pieces(engine, text_of(state), 10), "");
}

TEST(EngineSnapshot, AStateThatBeginsAnewReplacesTheHalfThatCameBefore) {
  const std::string state = text_of(small_snapshot());
  MatchingEngine engine(kMostOrders);
  tests::MemoryReader half(std::string_view(state).substr(0, 100), true, false);
  engine.load(half);
  EXPECT_EQ(half.failure, "");
  EXPECT_EQ(load_in_pieces(engine, state, 100), "");
  EXPECT_EQ(engine.book().size(), 2U);
}

}  // namespace
}  // namespace lockstep::examples
