#include "bench/blocks.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace lockstep::bench {
namespace {

TEST(Median, OfNothingIsNothing) { EXPECT_FALSE(median({}).has_value()); }

TEST(Median, OfAnOddCountIsTheMiddleOne) { EXPECT_DOUBLE_EQ(*median({9, 1, 5}), 5); }

TEST(Median, OfAnEvenCountIsBetweenTheTwoMiddleOnes) {
  EXPECT_DOUBLE_EQ(*median({10, 1, 2, 4}), 3);
}

TEST(MedianRatio, OfNothingIsNothing) { EXPECT_FALSE(median_ratio({}).has_value()); }

TEST(MedianRatio, LeavesOutBlocksThatWereNotMeasured) {
  const std::vector<BlockPair> blocks = {{0, 100}, {300, 0}, {400, 200}};
  EXPECT_DOUBLE_EQ(*median_ratio(blocks), 2);
}

TEST(MedianRatio, OfUnmeasuredBlocksOnlyIsNothing) {
  const std::vector<BlockPair> blocks = {{0, 100}, {300, 0}};
  EXPECT_FALSE(median_ratio(blocks).has_value());
}

// The host moved the CPUs apart in the middle of the run: both figures went up by four, and the
// ratio of the two medians would compare a near subject with a far floor.
TEST(MedianRatio, SurvivesAFloorThatChangesDuringTheRun) {
  const std::vector<BlockPair> blocks = {{240, 120}, {240, 120},  {240, 120},
                                         {960, 480}, {1000, 500}, {980, 490}};
  EXPECT_DOUBLE_EQ(*median_ratio(blocks), 2);
}

}  // namespace
}  // namespace lockstep::bench
