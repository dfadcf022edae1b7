#include "examples/matching_engine/engine.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <span>
#include <vector>

#include "examples/matching_engine/generator.hpp"

namespace lockstep::examples {
namespace {

constexpr std::uint32_t kMostOrders = 1 << 14;

Message message_of(std::span<const std::byte> payload) {
  Message message;
  message.payload = payload;
  return message;
}

std::vector<OrderMessage> generated(std::uint64_t seed, std::uint64_t count) {
  OrderGenerator generator(seed, count);
  std::vector<OrderMessage> orders(count);
  EXPECT_EQ(generator.next(orders).value_or(0), count);
  return orders;
}

TEST(MatchingEngine, EqualOrdersGiveEqualDigests) {
  const auto orders = generated(1, 50'000);
  MatchingEngine direct(kMostOrders);
  MatchingEngine through_messages(kMostOrders);
  for (const OrderMessage& order : orders) {
    direct.apply(order);
    through_messages.apply(message_of(std::as_bytes(std::span(&order, 1))));
  }
  EXPECT_EQ(direct.digest(), through_messages.digest());
  EXPECT_EQ(direct.counts(), through_messages.counts());
  EXPECT_EQ(direct.counts().orders, orders.size());
  EXPECT_GT(direct.counts().fills, 0U);
  EXPECT_GT(direct.book().size(), 0U);
}

TEST(MatchingEngine, TheDigestSeesOneSwappedPairOneLostOrderAndOneChangedShare) {
  auto orders = generated(2, 5'000);
  const auto digest_of = [](const std::vector<OrderMessage>& flow) {
    MatchingEngine engine(kMostOrders);
    for (const OrderMessage& order : flow) engine.apply(order);
    return engine.digest();
  };
  const std::uint64_t whole = digest_of(orders);
  auto swapped = orders;
  std::swap(swapped[1'000], swapped[1'001]);
  EXPECT_NE(digest_of(swapped), whole);
  auto lost = orders;
  lost.erase(lost.begin() + 2'500);
  EXPECT_NE(digest_of(lost), whole);
  auto changed = orders;
  for (OrderMessage& order : changed) {
    if (order.kind != OrderKind::add_limit) continue;
    ++order.quantity;
    break;
  }
  EXPECT_NE(digest_of(changed), whole);
  EXPECT_EQ(digest_of(orders), whole);
}

TEST(MatchingEngine, TheDigestCoversTheRestingBook) {
  // Both engines emitted the same events; only what rests differs by its place in the queue.
  MatchingEngine one(kMostOrders);
  MatchingEngine other(kMostOrders);
  EXPECT_EQ(one.digest(), other.digest());
  one.apply(OrderMessage{.order_id = 1, .price = 5, .quantity = 1});
  EXPECT_NE(one.digest(), other.digest());
  other.apply(OrderMessage{.order_id = 1, .price = 5, .quantity = 1, .side = Side::sell});
  EXPECT_NE(one.digest(), other.digest()) << "the accepted events are equal, the sides are not";
}

TEST(MatchingEngine, CountsAndIgnoresWhatIsNoOrder) {
  MatchingEngine engine(kMostOrders);
  const std::uint64_t before = engine.digest();
  std::vector<std::byte> bytes(sizeof(OrderMessage) + 1);
  for (const std::size_t size : {std::size_t{0}, sizeof(OrderMessage) - 1, bytes.size()}) {
    engine.apply(message_of(std::span(bytes).first(size)));
  }
  OrderMessage order{.order_id = 1, .price = 5, .quantity = 1};
  for (const int kind : {0, 12, 255}) {
    order.kind = static_cast<OrderKind>(kind);
    engine.apply(message_of(std::as_bytes(std::span(&order, 1))));
  }
  order.kind = OrderKind::add_limit;
  order.side = static_cast<Side>(3);
  engine.apply(message_of(std::as_bytes(std::span(&order, 1))));
  EXPECT_EQ(engine.counts().malformed, 7U);
  EXPECT_EQ(engine.counts().orders, 0U);
  EXPECT_EQ(engine.counts().events, 0U);
  EXPECT_EQ(engine.digest(), before);
}

TEST(MatchingEngine, CountsByKind) {
  MatchingEngine engine(kMostOrders);
  engine.apply(OrderMessage{.order_id = 1, .price = 5, .quantity = 2});
  engine.apply(OrderMessage{.order_id = 9, .kind = OrderKind::cancel});
  engine.apply(OrderMessage{.order_id = 9, .quantity = 1, .kind = OrderKind::execute});
  engine.apply(OrderMessage{.order_id = 1, .quantity = 1, .kind = OrderKind::execute});
  engine.apply(OrderMessage{.price = 5, .quantity = 1, .kind = OrderKind::hidden_trade});
  engine.apply(OrderMessage{.price = 5, .quantity = 1, .kind = OrderKind::cross_trade});
  engine.apply(OrderMessage{.kind = OrderKind::trading_status, .detail = 1});
  engine.apply(OrderMessage{.order_id = 1, .price = 5, .quantity = 2});
  EXPECT_FALSE(engine.finished());
  engine.apply(OrderMessage{.order_id = 8, .kind = OrderKind::end_of_input});
  EXPECT_TRUE(engine.finished());
  const EngineCounts counts = engine.counts();
  EXPECT_EQ(counts.orders, 8U);
  EXPECT_EQ(counts.events, 8U);
  EXPECT_EQ(counts.fills, 1U);
  EXPECT_EQ(counts.unknown_ids, 2U);
  EXPECT_EQ(counts.unknown_executions, 1U);
  EXPECT_EQ(counts.trade_prints, 2U);
  EXPECT_EQ(counts.rejected, 1U);
  EXPECT_EQ(counts.malformed, 0U);
}

TEST(Digest, IsPrintedAs16HexDigits) {
  EXPECT_EQ(to_hex(0), "0000000000000000");
  EXPECT_EQ(to_hex(0xfedcba9876543210), "fedcba9876543210");
}

}  // namespace
}  // namespace lockstep::examples
