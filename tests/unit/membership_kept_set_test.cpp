#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <vector>

#include "membership/kept_set.hpp"

namespace lockstep::membership {
namespace {

TEST(KeptSet, NobodyReportsAnybody) {
  EXPECT_EQ(kept_set(std::vector<std::uint64_t>(3)), 0b111U);
  EXPECT_EQ(kept_set(std::vector<std::uint64_t>(64)), ~std::uint64_t{0});
  EXPECT_EQ(kept_set(std::vector<std::uint64_t>(1)), 1U);
}

TEST(KeptSet, OneBrokenLinkCostsTheHigherRank) {
  EXPECT_EQ(kept_set(std::vector<std::uint64_t>{0, 0b100, 0}), 0b011U);
  EXPECT_EQ(kept_set(std::vector<std::uint64_t>{0, 0, 0b010}), 0b011U);
  EXPECT_EQ(kept_set(std::vector<std::uint64_t>{0b010, 0}), 0b01U);
}

TEST(KeptSet, ASickLeaderIsLeftOut) {
  EXPECT_EQ(kept_set(std::vector<std::uint64_t>{0b110, 0, 0}), 0b110U);
  EXPECT_EQ(kept_set(std::vector<std::uint64_t>{0, 0b001, 0b001}), 0b110U);
}

TEST(KeptSet, NobodyIsLeftOutForWhatHeSaysOfHimself) {
  EXPECT_EQ(kept_set(std::vector<std::uint64_t>{0b001, 0b010}), 0b11U);
}

TEST(KeptSet, BitsBeyondTheMembersMeanNothing) {
  EXPECT_EQ(kept_set(std::vector<std::uint64_t>{~std::uint64_t{0b11}, 0}), 0b11U);
}

// Against all subsets, counted.
TEST(KeptSet, IsTheLargestWithTheLowestRanks) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 3'000; ++round) {
    const std::size_t members = 1 + random() % 9;
    std::vector<std::uint64_t> reports(members);
    for (std::uint64_t& report : reports) report = random() & random() & random();
    std::uint64_t best = 0;
    const auto agree = [&](std::uint64_t set) {
      for (std::size_t rank = 0; rank < members; ++rank) {
        const std::uint64_t others = set & ~(std::uint64_t{1} << rank);
        if ((set >> rank & 1U) != 0 && (reports[rank] & others) != 0) return false;
      }
      return true;
    };
    // With equal sizes the lower ranks win: compare as numbers with rank 0 as the highest digit.
    const auto order = [&](std::uint64_t set) {
      std::uint64_t mirrored = 0;
      for (std::size_t rank = 0; rank < members; ++rank) {
        mirrored = mirrored << 1U | (set >> rank & 1U);
      }
      return std::pair(std::popcount(set), mirrored);
    };
    for (std::uint64_t set = 1; set < std::uint64_t{1} << members; ++set) {
      if (agree(set) && order(set) > order(best)) best = set;
    }
    ASSERT_EQ(kept_set(reports), best);
  }
}

TEST(KeptSet, WorkIsBounded) {
  std::vector<std::uint64_t> reports(64);
  for (std::uint32_t rank = 0; rank < 64; ++rank) {
    reports[rank] = std::uint64_t{1} << (rank + 1) % 64 | std::uint64_t{1} << (rank + 7) % 64;
  }
  EXPECT_GE(std::popcount(kept_set(reports)), 16);
}

TEST(Quorum, TwoOfThemAlwaysMeet) {
  for (std::uint32_t members = 1; members <= 6; ++members) {
    const std::uint64_t sets = std::uint64_t{1} << members;
    for (std::uint64_t a = 0; a < sets; ++a) {
      for (std::uint64_t b = 0; b < sets; ++b) {
        const bool both = is_quorum(a, members) && is_quorum(b, members);
        if (both) {
          ASSERT_NE(a & b, 0U) << members << " members";
        }
      }
    }
  }
}

TEST(Quorum, HalfNeedsTheLowestRank) {
  EXPECT_TRUE(is_quorum(0b01, 2));
  EXPECT_FALSE(is_quorum(0b10, 2));
  EXPECT_TRUE(is_quorum(0b0101, 4));
  EXPECT_FALSE(is_quorum(0b1010, 4));
  EXPECT_TRUE(is_quorum(~std::uint64_t{0}, 64));
}

}  // namespace
}  // namespace lockstep::membership
