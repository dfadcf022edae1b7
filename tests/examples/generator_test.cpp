#include "examples/matching_engine/generator.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "examples/matching_engine/digest.hpp"
#include "examples/matching_engine/engine.hpp"

namespace lockstep::examples {
namespace {

constexpr std::size_t kOrders = 400'000;

std::vector<OrderMessage> generated(std::uint64_t seed, std::size_t count = kOrders) {
  OrderGenerator generator(seed, count);
  std::vector<OrderMessage> orders;
  std::array<OrderMessage, 300> batch;
  while (true) {
    const auto got = generator.next(batch);
    if (!got || *got == 0) break;
    orders.insert(orders.end(), batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(*got));
  }
  EXPECT_EQ(orders.size(), count);
  return orders;
}

TEST(OrderGenerator, MixesAsARealHourDid) {
  std::map<OrderKind, double> percent;
  for (const OrderMessage& order : generated(1)) percent[order.kind] += 100.0 / kOrders;
  const double submissions =
      percent[OrderKind::add_limit] + percent[OrderKind::add_ioc] + percent[OrderKind::add_market];
  EXPECT_NEAR(submissions, 48.1, 1.0);
  EXPECT_NEAR(percent[OrderKind::reduce], 0.5, 0.1);
  EXPECT_NEAR(percent[OrderKind::cancel], 44.6, 1.0);
  EXPECT_NEAR(percent[OrderKind::execute], 4.4, 0.3);
  EXPECT_NEAR(percent[OrderKind::hidden_trade], 2.4, 0.2);
  EXPECT_GT(percent[OrderKind::add_ioc], 0.1);
  EXPECT_GT(percent[OrderKind::add_market], 0.1);
}

TEST(OrderGenerator, SpacesMessagesAsARealHourDid) {
  const auto orders = generated(2);
  std::vector<double> gaps;
  for (std::size_t i = 1; i < orders.size(); ++i) {
    gaps.push_back(static_cast<double>(orders[i].time_ns - orders[i - 1].time_ns));
  }
  std::ranges::sort(gaps);
  const auto percentile = [&](double percent) {
    return gaps[static_cast<std::size_t>(percent / 100.0 * static_cast<double>(gaps.size()))];
  };
  EXPECT_EQ(percentile(1), 0.0);
  EXPECT_NEAR(percentile(10), 2'700.0, 0.5 * 2'700);
  EXPECT_NEAR(percentile(50), 459e3, 0.1 * 459e3);
  EXPECT_NEAR(percentile(90), 103e6, 0.1 * 103e6);
  EXPECT_NEAR(percentile(99), 646e6, 0.1 * 646e6);
  const auto zeros = static_cast<double>(std::ranges::upper_bound(gaps, 0.0) - gaps.begin());
  EXPECT_NEAR(zeros / static_cast<double>(gaps.size()), 5'898.0 / 91'997.0, 0.01);
}

/// The most messages that any window of this length holds.
std::size_t most_within(const std::vector<OrderMessage>& orders, std::uint64_t window_ns) {
  std::size_t most = 0;
  for (std::size_t first = 0, last = 0; last < orders.size(); ++last) {
    while (orders[last].time_ns - orders[first].time_ns > window_ns) ++first;
    most = std::max(most, last - first + 1);
  }
  return most;
}

TEST(OrderGenerator, BurstsAsARealHourDid) {
  // Maxima of one hour differ much from seed to seed; the middle one of eleven hours does not.
  std::vector<std::size_t> within_100us;
  std::vector<std::size_t> within_1s;
  for (std::uint64_t seed = 1; seed <= 11; ++seed) {
    const auto orders = generated(seed, 91'997);
    within_100us.push_back(most_within(orders, 100'000));
    within_1s.push_back(most_within(orders, 1'000'000'000));
  }
  std::ranges::sort(within_100us);
  std::ranges::sort(within_1s);
  EXPECT_GE(within_100us[5], 45U);
  EXPECT_LE(within_100us[5], 80U);
  EXPECT_GE(within_1s[5], 300U);
  EXPECT_LE(within_1s[5], 520U);
}

TEST(OrderGenerator, NamesLiveOrdersAndKeepsTheBookSane) {
  MatchingEngine engine(1 << 17);
  for (const OrderMessage& order : generated(3)) engine.apply(order);
  const EngineCounts counts = engine.counts();
  EXPECT_EQ(counts.rejected, 0U);
  EXPECT_EQ(counts.malformed, 0U);
  EXPECT_LT(counts.unknown_ids, kOrders / 40);
  EXPECT_GT(counts.fills, kOrders / 50);
  EXPECT_LT(engine.book().size(), 10'000U);
  const auto bid = engine.book().best(0, Side::buy);
  const auto ask = engine.book().best(0, Side::sell);
  ASSERT_TRUE(bid && ask);
  EXPECT_LT(bid->price, ask->price);
  EXPECT_NEAR(bid->price, 5'853'000, 500'000);
}

TEST(OrderGenerator, IsTheSameOnEveryPlatformAndAfterRewind) {
  const auto digest_of = [](OrderGenerator& generator) {
    Digest digest;
    std::array<OrderMessage, 100> batch;
    while (const std::size_t got = generator.next(batch).value_or(0)) {
      for (const OrderMessage& order : std::span(batch).first(got)) digest.add(order);
    }
    return digest.value();
  };
  OrderGenerator one(42, 100'000);
  const std::uint64_t first = digest_of(one);
  EXPECT_EQ(to_hex(first), "ec8124d818a30035");
  one.rewind();
  EXPECT_EQ(digest_of(one), first);
  OrderGenerator another(43, 100'000);
  EXPECT_NE(digest_of(another), first);
}

}  // namespace
}  // namespace lockstep::examples
