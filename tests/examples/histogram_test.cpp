#include "tools/launch/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace lockstep::launch {
namespace {

constexpr double kPercents[] = {0.0,  0.1,  1.0,  10.0, 25.0,  50.0,
                                75.0, 90.0, 99.0, 99.9, 99.99, 100.0};

/// Nearest rank, from the definition.
std::uint64_t exact_percentile(const std::vector<std::uint64_t>& sorted, double percent) {
  std::size_t rank = 0;
  while (static_cast<double>(rank) * 100.0 < percent * static_cast<double>(sorted.size()) - 1e-4) {
    ++rank;
  }
  return sorted[rank == 0 ? 0 : rank - 1];
}

void expect_within(std::uint64_t value, std::uint64_t exact, double percent) {
  const double allowed = 0.01 * static_cast<double>(exact);
  EXPECT_NEAR(static_cast<double>(value), static_cast<double>(exact), allowed) << percent << " %";
}

TEST(Histogram, MatchesExactPercentilesOverElevenDecades) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> exponent(0.0, 11.0);
  Histogram histogram;
  std::vector<std::uint64_t> values;
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    const auto value = static_cast<std::uint64_t>(std::pow(10.0, exponent(random)));
    values.push_back(value);
    histogram.record(value);
    sum += static_cast<double>(value);
  }
  std::ranges::sort(values);
  ASSERT_EQ(histogram.count(), values.size());
  EXPECT_EQ(histogram.min(), values.front());
  EXPECT_EQ(histogram.max(), values.back());
  EXPECT_NEAR(histogram.mean(), sum / 100'000, sum / 100'000 * 1e-9);
  for (const double percent : kPercents) {
    expect_within(histogram.percentile(percent), exact_percentile(values, percent), percent);
  }
}

TEST(Histogram, IsExactBelow256) {
  Histogram histogram;
  for (std::uint64_t ns = 0; ns < 256; ++ns) histogram.record(ns);
  for (std::uint64_t ns = 1; ns <= 256; ++ns) {
    EXPECT_EQ(histogram.percentile(static_cast<double>(ns) * 100.0 / 256.0), ns - 1);
  }
}

TEST(Histogram, HoldsEveryPowerOfTwoAndItsNeighbours) {
  for (int bit = 1; bit < 37; ++bit) {
    for (const std::uint64_t offset : {~std::uint64_t{0}, std::uint64_t{0}, std::uint64_t{1}}) {
      const std::uint64_t value = (std::uint64_t{1} << bit) + offset;
      if (value > Histogram::kLargestNs) continue;
      Histogram histogram;
      histogram.record(0);
      histogram.record(value);
      histogram.record(Histogram::kLargestNs);
      expect_within(histogram.percentile(50), value, 50);
    }
  }
}

TEST(Histogram, CountsTooLongValuesInTheLastBucket) {
  Histogram histogram;
  histogram.record(1);
  histogram.record(2 * Histogram::kLargestNs);
  histogram.record(3 * Histogram::kLargestNs);
  EXPECT_EQ(histogram.count(), 3U);
  EXPECT_EQ(histogram.max(), 3 * Histogram::kLargestNs);
  expect_within(histogram.percentile(50), Histogram::kLargestNs, 50);
}

TEST(Histogram, MergesAsIfRecordedTogether) {
  Histogram first;
  Histogram second;
  Histogram both;
  for (std::uint64_t i = 1; i < 10'000; ++i) {
    (i % 3 == 0 ? first : second).record(i * i);
    both.record(i * i);
  }
  first.merge(second);
  first.merge(Histogram());
  EXPECT_EQ(std::memcmp(&first, &both, sizeof both), 0);
  first.clear();
  EXPECT_EQ(first.count(), 0U);
}

TEST(Histogram, IsEmptyWhenAllItsBytesAreZero) {
  Histogram histogram;
  histogram.record(17);
  std::memset(static_cast<void*>(&histogram), 0, sizeof histogram);
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.min(), 0U);
  EXPECT_EQ(histogram.max(), 0U);
  EXPECT_EQ(histogram.mean(), 0.0);
  EXPECT_EQ(histogram.percentile(50), 0U);
  histogram.record(5);
  EXPECT_EQ(histogram.min(), 5U);
  EXPECT_EQ(histogram.percentile(99), 5U);
}

TEST(Histogram, TakesTheNearestRankExactly) {
  Histogram histogram;
  for (int i = 0; i < 999; ++i) histogram.record(10);
  histogram.record(200);
  EXPECT_EQ(histogram.percentile(99.9), 10U);
  EXPECT_EQ(histogram.percentile(99.91), 200U);
}

}  // namespace
}  // namespace lockstep::launch
