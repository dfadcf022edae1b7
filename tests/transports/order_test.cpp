#include <algorithm>

#include "tests/transports/conformance.hpp"

namespace lockstep::transports::conformance {
namespace {

using Words = std::vector<std::uint64_t>;

std::span<const std::byte> bytes_of(const Words& words) { return std::as_bytes(std::span(words)); }

TEST_P(Conformance, RegionsStartZeroedAndAligned) {
  connect({.members = 3, .region_bytes = 4'096});
  for (std::uint32_t rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(endpoint(rank).region_bytes(), 4'096U);
    EXPECT_GE(endpoint(rank).source().size(), std::size_t{1} << 20U);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(endpoint(rank).source().data()) % 64, 0U);
    for (LinkId link = 0; link < 3; ++link) {
      if (link == rank) continue;
      EXPECT_EQ(endpoint(rank).completed(link), 0U);
      for (std::uint32_t copy = 0; copy < kRegionCopies; ++copy) {
        const auto region = endpoint(rank).inbound(link, copy);
        ASSERT_EQ(region.size(), 4'096U);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(region.data()) % 64, 0U);
        EXPECT_TRUE(std::ranges::all_of(region, [](std::byte b) { return b == std::byte{0}; }));
      }
    }
  }
}

TEST_P(Conformance, WritesOfALinkBecomeVisibleInOrder) {
  constexpr std::uint64_t kWrites = 5'000;
  constexpr std::uint64_t kWords = 64;
  connect({.members = 2});
  std::uint64_t next = 1;
  std::uint64_t seen = 0;
  const auto writer = [&] {
    poll(0);
    if (next > kWrites) return true;
    const Words value{next};
    const Post post = endpoint(0).write(1, 0, next % kWords * 8, bytes_of(value), next);
    endpoint(0).flush(1);
    EXPECT_NE(post, Post::down);
    if (post == Post::posted) ++next;
    return false;
  };
  const auto reader = [&] {
    poll(1);
    for (std::uint64_t i = 0; i < kWords; ++i) seen = std::max(seen, word(1, 0, i * 8));
    for (std::uint64_t back = 1; back < kWords && back < seen; ++back) {
      const std::uint64_t earlier = seen - back;
      EXPECT_GE(word(1, 0, earlier % kWords * 8), earlier) << "after write " << seen;
    }
    return seen == kWrites || HasFailure();
  };
  EXPECT_TRUE(network().run({writer, reader}));
  EXPECT_EQ(seen, kWrites);
}

/// What sender 0 does in the tests below: bodies of `words` words full of one number, from
/// alternating sources, each followed by a row word with that number.
class BodiesThenRows {
 public:
  BodiesThenRows(Transport& transport, std::uint64_t words, std::uint64_t count)
      : transport_(transport), words_(words), count_(count) {}

  static constexpr std::uint64_t kRowOffset = 0;
  static constexpr std::uint64_t kBodyOffset = 64;

  /// One attempt at the next post. True when all are posted.
  bool step() {
    if (number_ > count_) return true;
    if (body_posted_) {
      const Words row{doubled(number_)};
      const Post post = transport_.write(1, 0, kRowOffset, bytes_of(row), number_);
      EXPECT_NE(post, Post::down);
      transport_.flush(1);
      if (post == Post::posted) {
        body_posted_ = false;
        ++number_;
      }
      return false;
    }
    const bool source_free = number_ <= kSources || transport_.completed(1) >= number_ - kSources;
    if (!source_free) return false;
    auto* all_sources = reinterpret_cast<std::uint64_t*>(transport_.source().data());
    const std::span source(all_sources + number_ % kSources * words_, words_);
    std::ranges::fill(source, doubled(number_));
    const Post post = transport_.write(1, 0, kBodyOffset, std::as_bytes(source), number_);
    EXPECT_NE(post, Post::down);
    body_posted_ = post == Post::posted;
    return false;
  }

 private:
  static constexpr std::uint64_t kSources = 4;

  Transport& transport_;
  const std::uint64_t words_;
  std::uint64_t number_ = 1;
  bool body_posted_ = false;
  const std::uint64_t count_;
};

TEST_P(Conformance, ARowWordShowsTheWholeBodyWrittenBeforeIt) {
  constexpr std::uint64_t kBodies = 2'000;
  constexpr std::uint64_t kWords = 100;
  connect({.members = 2});
  BodiesThenRows bodies(endpoint(0), kWords, kBodies);
  std::uint64_t row = 0;
  const auto writer = [&] {
    poll(0);
    return bodies.step();
  };
  const auto reader = [&] {
    poll(1);
    row = word(1, 0, BodiesThenRows::kRowOffset);
    for (std::uint64_t i = 0; i < kWords; ++i) {
      EXPECT_GE(word(1, 0, BodiesThenRows::kBodyOffset + i * 8), row) << "word " << i;
    }
    return row == doubled(kBodies) || HasFailure();
  };
  EXPECT_TRUE(network().run({writer, reader}));
  EXPECT_EQ(row, doubled(kBodies));
}

TEST_P(Conformance, AnAlignedWordIsNeverTorn) {
  constexpr std::uint64_t kBodies = 2'000;
  constexpr std::uint64_t kWords = 33;
  connect({.members = 2});
  BodiesThenRows bodies(endpoint(0), kWords, kBodies);
  const auto writer = [&] {
    poll(0);
    return bodies.step();
  };
  const auto reader = [&] {
    poll(1);
    for (std::uint64_t i = 0; i < kWords; ++i) {
      const std::uint64_t value = word(1, 0, BodiesThenRows::kBodyOffset + i * 8);
      EXPECT_EQ(value >> 32U, value & 0xffff'ffffU) << "word " << i;
    }
    return word(1, 0, BodiesThenRows::kRowOffset) == doubled(kBodies) || HasFailure();
  };
  EXPECT_TRUE(network().run({writer, reader}));
}

TEST_P(Conformance, OneWriteBecomesVisibleInThePromisedOrder) {
  constexpr std::uint64_t kBodies = 2'000;
  constexpr std::uint64_t kWords = 20;
  connect({.members = 2});
  const WriteOrder order = endpoint(1).read_order(0);
  std::array<std::uint64_t, kWords> seen{};
  BodiesThenRows bodies(endpoint(0), kWords, kBodies);
  const auto writer = [&] {
    poll(0);
    return bodies.step();
  };
  const auto reader = [&] {
    poll(1);
    const auto at = [&](std::uint64_t i) {
      return word(1, 0, BodiesThenRows::kBodyOffset + i * 8);
    };
    switch (order) {
      case WriteOrder::first_word_last: {
        const std::uint64_t first = at(0);
        for (std::uint64_t i = 1; i < kWords; ++i) EXPECT_GE(at(i), first) << "word " << i;
        break;
      }
      case WriteOrder::ascending:
        // From the highest down, so that what is loaded later is at least as new.
        for (std::uint64_t i = kWords - 1; i > 0; --i) {
          const std::uint64_t higher = at(i);
          EXPECT_GE(at(i - 1), higher) << "word " << i - 1;
        }
        break;
      case WriteOrder::unordered:
        // Only that a later write is later in every word.
        for (std::uint64_t i = 0; i < kWords; ++i) {
          EXPECT_GE(at(i), seen[i]) << "word " << i;
          seen[i] = at(i);
        }
        break;
    }
    return word(1, 0, BodiesThenRows::kRowOffset) == doubled(kBodies) || HasFailure();
  };
  EXPECT_TRUE(network().run({writer, reader}));
}

}  // namespace
}  // namespace lockstep::transports::conformance
