#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "transports/stream/inbound_stream.hpp"
#include "transports/stream/outbound_stream.hpp"

namespace lockstep::transports::stream {
namespace {

constexpr std::size_t kRegion = 8'192;

class Stream : public testing::Test {
 protected:
  /// Takes up to `most` bytes out of the sender, as a socket would.
  std::vector<std::byte> take(std::size_t most) {
    OutboundStream::Pieces pieces;
    const std::size_t count = out_.gather(pieces);
    std::vector<std::byte> bytes;
    for (std::size_t i = 0; i < count; ++i) {
      const auto* data = static_cast<const std::byte*>(pieces[i].iov_base);
      const std::size_t some = std::min(pieces[i].iov_len, most - bytes.size());
      bytes.insert(bytes.end(), data, data + some);
    }
    out_.sent(bytes.size());
    return bytes;
  }
  void carry_all() {
    while (!out_.empty()) EXPECT_EQ(in_.feed(take(1'000'000)), InboundStream::State::open);
  }

  std::vector<std::byte> source_ = std::vector<std::byte>(kRegion);
  std::vector<std::byte> region_ = std::vector<std::byte>(kRegion * kRegionCopies);
  OutboundStream out_;
  InboundStream in_{region_, kRegion};
};

TEST_F(Stream, PiecesOfAnyLengthAreAppliedInWholeWords) {
  std::mt19937_64 random(11);
  std::vector<std::byte> model(kRegion * kRegionCopies);
  for (int i = 0; i < 20'000; ++i) {
    const std::size_t bytes = random() % 40 * 8;
    const std::size_t offset = random() % ((kRegion - bytes) / 8 + 1) * 8;
    const std::uint32_t copy = random() % kRegionCopies;
    const std::size_t from = random() % ((kRegion - bytes) / 8 + 1) * 8;
    for (std::size_t k = 0; k < bytes; ++k) {
      source_[from + k] = static_cast<std::byte>(random());
    }
    const std::span<const std::byte> body(source_.data() + from, bytes);
    ASSERT_EQ(out_.push(copy, offset, body, static_cast<std::uint64_t>(i)), Post::posted);
    std::copy(body.begin(), body.end(),
              model.begin() + static_cast<std::ptrdiff_t>(copy * kRegion + offset));
    while (!out_.empty()) {
      ASSERT_EQ(in_.feed(take(1 + random() % 50)), InboundStream::State::open);
    }
    ASSERT_EQ(out_.completed(), static_cast<std::uint64_t>(i));
  }
  EXPECT_EQ(model, region_);
}

TEST_F(Stream, AWordIsNeverThereInParts) {
  std::ranges::fill(source_, std::byte{0xff});
  ASSERT_EQ(out_.push(0, 0, std::span(source_).first(128), 1), Post::posted);
  while (!out_.empty()) {
    in_.feed(take(3));
    for (std::size_t word = 0; word < 128; word += 8) {
      const auto begin = region_.begin() + static_cast<std::ptrdiff_t>(word);
      const auto whole = std::count(begin, begin + 8, std::byte{0xff});
      EXPECT_TRUE(whole == 0 || whole == 8) << word;
    }
  }
}

TEST_F(Stream, AWriteThatGoesOnWhereTheLastOneEndedIsJoinedToIt) {
  for (std::size_t i = 0; i < 10; ++i) {
    out_.push(0, i * 512, std::span(source_).subspan(i * 512, 512), i + 1);
  }
  OutboundStream::Pieces pieces;
  EXPECT_EQ(out_.gather(pieces), 2u) << "one header, one body";
  // What was handed out stays as it is: the kernel may be reading it.
  out_.push(0, 5'120, std::span(source_).subspan(5'120, 512), 11);
  EXPECT_EQ(pieces[1].iov_len, 5'120u);
  out_.sent(0);
  EXPECT_EQ(out_.gather(pieces), 4u);
  out_.sent(0);
  carry_all();
  EXPECT_EQ(out_.completed(), 11u);
}

TEST_F(Stream, AMarkOfSeveralWritesIsCompleteWithTheLast) {
  for (std::size_t i = 0; i < 3; ++i) {
    out_.push(0, i * 1'024, std::span(source_).subspan(i * 1'024, 512), 7);
  }
  EXPECT_LT(out_.completed(), 7u);
  in_.feed(take(3 * (sizeof(FrameHeader) + 512) - 1));
  EXPECT_LT(out_.completed(), 7u);
  carry_all();
  EXPECT_EQ(out_.completed(), 7u);
  out_.push(0, 0, std::span(source_).first(512), 7);
  EXPECT_LT(out_.completed(), 7u) << "once more";
}

TEST_F(Stream, ARowIsCopiedWhenItIsPosted) {
  out_.push(0, 0, std::span(source_).first(64), 1);
  std::ranges::fill(source_, std::byte{1});
  carry_all();
  EXPECT_EQ(region_[0], std::byte{0});
}

TEST_F(Stream, AFullQueueBlocks) {
  std::uint64_t posted = 0;
  while (out_.push(0, 0, std::span(source_).first(8), posted + 1) == Post::posted) ++posted;
  EXPECT_EQ(posted, OutboundStream::kDepth);
  EXPECT_EQ(out_.push_leave(), Post::would_block);
  carry_all();
  EXPECT_EQ(out_.completed(), posted);
}

TEST_F(Stream, LeavingIsToldApartFromAnEnd) {
  out_.push(0, 0, std::span(source_).first(8), 1);
  out_.push_leave();
  EXPECT_EQ(in_.feed(take(1'000)), InboundStream::State::left);
}

TEST_F(Stream, AWriteOutsideOfTheRegionEndsTheStream) {
  const FrameHeader good{.kind = Kind::write, .copy = 1, .offset = kRegion - 8, .bytes = 8};
  const auto state_after = [&](auto change) {
    FrameHeader header = good;
    change(header);
    std::vector<std::byte> bytes(sizeof header + 8);
    std::memcpy(bytes.data(), &header, sizeof header);
    InboundStream stream(region_, kRegion);
    return stream.feed(bytes);
  };
  EXPECT_EQ(state_after([](FrameHeader&) {}), InboundStream::State::open);
  const auto broken = InboundStream::State::broken;
  EXPECT_EQ(state_after([](FrameHeader& h) { h.copy = kRegionCopies; }), broken);
  EXPECT_EQ(state_after([](FrameHeader& h) { h.offset = kRegion; }), broken);
  EXPECT_EQ(state_after([](FrameHeader& h) { h.offset = ~std::uint64_t{7}; }), broken);
  EXPECT_EQ(state_after([](FrameHeader& h) { h.bytes = 16; }), broken);
  EXPECT_EQ(state_after([](FrameHeader& h) { h.bytes = ~std::uint64_t{7}; }), broken);
  EXPECT_EQ(state_after([](FrameHeader& h) { h.offset = 4; }), broken);
  EXPECT_EQ(state_after([](FrameHeader& h) { h.kind = static_cast<Kind>(9); }), broken);
}

}  // namespace
}  // namespace lockstep::transports::stream
