#include <algorithm>
#include <numeric>

#include "tests/transports/conformance.hpp"

namespace lockstep::transports::conformance {
namespace {

using Words = std::vector<std::uint64_t>;

TEST_P(Conformance, AFullQueueBlocksThePostAndThenMovesOn) {
  constexpr std::uint64_t kPosts = 100'000;
  connect({.members = 2});
  std::uint64_t posted = 0;
  Post post = Post::posted;
  while (posted < kPosts && post == Post::posted) {
    const Words value{posted + 1};
    post = endpoint(0).write(1, 0, 0, std::as_bytes(std::span(value)), posted + 1);
    if (post == Post::posted) ++posted;
  }
  EXPECT_NE(post, Post::down);
  EXPECT_TRUE(settle([&] { return word(1, 0, 0) == posted; })) << "of what was posted";
  EXPECT_EQ(write(0, 1, 0, 0, Words{posted + 1}, posted + 1), Post::posted);
  EXPECT_TRUE(settle([&] { return word(1, 0, 0) == posted + 1; })) << "of what came after";
}

TEST_P(Conformance, PostsAreMadeProgressWithByPollAlone) {
  // would_block says: try after the next poll. Nobody promises to flush in between.
  constexpr std::uint64_t kPosts = 2'000;
  connect({.members = 2});
  std::uint64_t posted = 0;
  const auto writer = [&] {
    poll(0);
    if (posted == kPosts) {
      endpoint(0).flush(1);
      return true;
    }
    const Words value{posted + 1};
    if (endpoint(0).write(1, 0, 0, std::as_bytes(std::span(value)), posted + 1) == Post::posted) {
      ++posted;
    }
    return false;
  };
  const auto reader = [&] {
    poll(1);
    return word(1, 0, 0) == kPosts;
  };
  EXPECT_TRUE(network().run({writer, reader}));
}

TEST_P(Conformance, TheLinkToAPeerThatEndedGoesDownOnceAndStaysDown) {
  connect({.members = 3});
  EXPECT_EQ(write(0, 2, 0, 0, source(0, 0, 100), 5), Post::posted);
  EXPECT_EQ(write(1, 2, 0, 0, Words{1}, 3), Post::posted);
  end_member(2);
  std::array<std::vector<LinkDown>, 3> downs;
  EXPECT_TRUE(settle([&] { return !downs[0].empty() && !downs[1].empty(); }, downs.data()));
  int rounds = 0;
  EXPECT_TRUE(settle([&] { return ++rounds > 100; }, downs.data()));

  for (const std::uint32_t rank : {0U, 1U}) {
    ASSERT_EQ(downs[rank].size(), 1U) << "rank " << rank;
    EXPECT_EQ(downs[rank][0].link, 2U);
    EXPECT_EQ(write(rank, 2, 0, 0, Words{1}, 9), Post::down);
  }
  EXPECT_GE(endpoint(0).completed(2), 5U) << "sources of a dead link are free";
  EXPECT_GE(endpoint(1).completed(2), 3U);

  EXPECT_EQ(write(0, 1, 0, 0, Words{3}, 1), Post::posted);
  EXPECT_EQ(write(1, 0, 0, 0, Words{4}, 1), Post::posted);
  EXPECT_TRUE(settle([&] { return word(1, 0, 0) == 3 && word(0, 1, 0) == 4; }, downs.data()));
}

TEST_P(Conformance, WhatAPeerWritesAfterDropLandsNowhere) {
  connect({.members = 3});
  EXPECT_EQ(write(0, 1, 0, 0, Words{1}, 8), Post::posted);
  endpoint(0).drop(1);
  for (std::uint32_t copy = 0; copy < kRegionCopies; ++copy) {
    const auto nobody = endpoint(0).inbound(1, copy);
    ASSERT_EQ(nobody.size(), endpoint(0).region_bytes());
    EXPECT_EQ(std::ranges::count(nobody, std::byte{0}), std::ssize(nobody));
  }
  EXPECT_EQ(write(0, 1, 0, 0, Words{2}, 9), Post::down);
  EXPECT_GE(endpoint(0).completed(1), 8U);

  // The peer may or may not learn of it; it must be able to go on.
  std::array<std::vector<LinkDown>, 3> downs;
  const auto body = source(1, 0, 256);
  std::ranges::fill(body, 0xee);
  for (std::uint64_t mark = 1; mark <= 100; ++mark) {
    endpoint(1).write(0, mark % kRegionCopies, 0, std::as_bytes(body), mark);
    EXPECT_TRUE(settle([rounds = 0]() mutable { return ++rounds > 2; }, downs.data()));
  }
  EXPECT_EQ(write(0, 2, 0, 0, Words{3}, 1), Post::posted);
  EXPECT_EQ(write(2, 0, 0, 8, Words{4}, 1), Post::posted);
  EXPECT_TRUE(settle([&] { return word(2, 0, 0) == 3 && word(0, 2, 8) == 4; }, downs.data()));
  EXPECT_TRUE(downs[0].empty()) << "no event follows a drop";
  EXPECT_TRUE(downs[2].empty());
}

TEST_P(Conformance, TheTwoCopiesOfARegionAreDisjoint) {
  connect({.members = 2, .region_bytes = 1'024});
  const auto zero = source(0, 0, 128);
  std::ranges::fill(zero, doubled(10));
  const auto one = source(0, 128, 64);
  std::ranges::fill(one, doubled(11));
  EXPECT_EQ(write(0, 1, 0, 0, zero, 1), Post::posted);
  EXPECT_EQ(write(0, 1, 1, 256, one, 2), Post::posted);
  EXPECT_TRUE(settle([&] {
    const auto first = endpoint(1).inbound(0, 0);
    const auto second = endpoint(1).inbound(0, 1);
    for (std::uint64_t i = 0; i < 128; ++i) {
      const bool written = i >= 32 && i < 96;
      if (load_word(first, i * 8) != doubled(10)) return false;
      if (load_word(second, i * 8) != (written ? doubled(11) : 0)) return false;
    }
    return true;
  }));
}

TEST_P(Conformance, BothDirectionsOfALinkAreIndependent) {
  connect({.members = 2});
  const auto left = source(0, 0, 20);
  std::ranges::fill(left, 5);
  const auto right = source(1, 0, 20);
  std::ranges::fill(right, 6);
  EXPECT_EQ(write(0, 1, 0, 128, left, 1), Post::posted);
  EXPECT_EQ(write(1, 0, 0, 128, right, 1), Post::posted);
  EXPECT_TRUE(settle([&] {
    return word(1, 0, 128) == 5 && word(1, 0, 280) == 5 && word(0, 1, 128) == 6 &&
           word(0, 1, 280) == 6;
  }));
}

TEST_P(Conformance, ASourceIsFreeOnceItsMarkIsComplete) {
  constexpr std::uint64_t kPosts = 300;
  constexpr std::uint64_t kWords = 64;
  connect({.members = 2, .region_bytes = 64 * 1'024});
  const auto body = source(0, 0, kWords);
  for (std::uint64_t mark = 1; mark <= kPosts; ++mark) {
    std::ranges::fill(body, doubled(mark));
    const std::uint64_t offset = mark % 128 * kWords * 8;
    ASSERT_EQ(write(0, 1, 0, offset, body, mark), Post::posted);
    ASSERT_TRUE(settle([&] { return endpoint(0).completed(1) >= mark; }));
    EXPECT_EQ(endpoint(0).completed(1), mark);
    std::ranges::fill(body, ~std::uint64_t{0});  // seen by the peer only if read after completion
    ASSERT_TRUE(settle([&] {
      for (std::uint64_t i = 0; i < kWords; ++i) {
        const std::uint64_t value = word(1, 0, offset + i * 8);
        EXPECT_LE(value, doubled(mark));
        if (value != doubled(mark)) return HasFailure();
      }
      return true;
    }));
    ASSERT_FALSE(HasFailure());
  }
}

TEST_P(Conformance, AMarkGivenToSeveralPostsCompletesWithTheLast) {
  constexpr std::uint64_t kRounds = 100;
  connect({.members = 2});
  for (std::uint64_t mark = 1; mark <= kRounds; ++mark) {
    for (std::uint64_t i = 0; i < 3; ++i) {
      const auto body = source(0, i * 16, 16);
      std::ranges::fill(body, doubled(mark));
      ASSERT_EQ(write(0, 1, 0, i * 128, body, mark), Post::posted);
    }
    ASSERT_TRUE(settle([&] { return endpoint(0).completed(1) >= mark; }));
    std::ranges::fill(source(0, 0, 48), ~std::uint64_t{0});
    ASSERT_TRUE(settle([&] { return word(1, 0, 2 * 128 + 120) == doubled(mark); }) || HasFailure());
    for (std::uint64_t i = 0; i < 48; ++i) EXPECT_LE(word(1, 0, i * 8), doubled(mark));
    ASSERT_FALSE(HasFailure());
  }
}

TEST_P(Conformance, ASmallSourceIsCopiedWhenItIsPosted) {
  constexpr std::uint64_t kPosts = 500;
  connect({.members = 2});
  Words small(kInlineBytes / 8);
  for (std::uint64_t number = 1; number <= kPosts; ++number) {
    std::ranges::fill(small, doubled(number));
    ASSERT_EQ(write(0, 1, 0, 64, small, number), Post::posted);
    std::ranges::fill(small, ~std::uint64_t{0});
    ASSERT_TRUE(settle([&] {
      bool all = true;
      for (std::uint64_t i = 0; i < small.size(); ++i) {
        const std::uint64_t value = word(1, 0, 64 + i * 8);
        EXPECT_LE(value, doubled(number));
        all = all && value == doubled(number);
      }
      return all || HasFailure();
    }));
    ASSERT_FALSE(HasFailure());
  }
}

TEST_P(Conformance, WritesOfEverySizeArriveWhole) {
  constexpr std::uint64_t kRegion = 4'096;
  connect({.members = 2, .region_bytes = kRegion});
  std::uint64_t mark = 0;
  for (const std::uint64_t bytes :
       {std::uint64_t{0}, std::uint64_t{8}, std::uint64_t{16}, std::uint64_t{56}, std::uint64_t{64},
        std::uint64_t{72}, std::uint64_t{128}, std::uint64_t{1'000}, kRegion - 8, kRegion}) {
    for (const std::uint64_t offset : {std::uint64_t{0}, kRegion - bytes}) {
      ++mark;
      const auto body = source(0, 0, bytes / 8);
      std::iota(body.begin(), body.end(), mark << 32U);
      ASSERT_EQ(write(0, 1, 0, offset, body, mark), Post::posted);
      ASSERT_EQ(write(0, 1, 1, 0, Words{mark}, mark), Post::posted);
      ASSERT_TRUE(settle([&] { return word(1, 0, 0, 1) == mark; }));
      for (std::uint64_t i = 0; i < body.size(); ++i) {
        ASSERT_EQ(word(1, 0, offset + i * 8), body[i]) << bytes << " bytes at " << offset;
      }
      ASSERT_TRUE(settle([&] { return endpoint(0).completed(1) == mark; }));
    }
  }
}

}  // namespace
}  // namespace lockstep::transports::conformance
