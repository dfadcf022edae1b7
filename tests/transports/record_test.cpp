// Records over a stream that somebody else holds in his hands.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <random>
#include <vector>

#include "tests/transports/test_key.hpp"
#include "transports/sealing/record_reader.hpp"
#include "transports/sealing/record_writer.hpp"

namespace lockstep::transports {
namespace {

using stream::InboundStream;
using stream::OutboundStream;
using State = InboundStream::State;
using Bytes = std::vector<std::byte>;

constexpr std::size_t kRegion = 1 << 17;

class Records : public testing::TestWithParam<CipherKind> {
 protected:
  void SetUp() override {
    if (GetParam() == CipherKind::aes256_gcm && !LinkCipher::has_aes()) {
      GTEST_SKIP() << "platform limit: this processor has no instructions for AES";
    }
    LinkKeys mine;
    LinkKeys theirs;
    fill_test_keys(mine, GetParam(), false);
    fill_test_keys(theirs, GetParam(), true);
    writer_.emplace(mine.cipher, mine.sending);
    reader_.emplace(theirs.cipher, theirs.receiving);
  }

  /// What goes over the wire for a write of `bytes`, all of `value`.
  Bytes sealed_write(std::size_t bytes, unsigned char value) {
    sources_.emplace_back(bytes, std::byte{value});
    EXPECT_EQ(out_.push(0, 0, sources_.back(), ++mark_), Post::posted);
    Bytes all;
    while (!out_.empty()) {
      writer_->fill(out_);
      const auto waiting = writer_->waiting();
      all.insert(all.end(), waiting.begin(), waiting.end());
      writer_->sent(waiting.size());
    }
    return all;
  }
  State hear(const Bytes& bytes) { return reader_->feed(bytes, in_); }
  [[nodiscard]] std::byte first() const { return region_[0]; }

  std::vector<Bytes> sources_;
  std::uint64_t mark_ = 0;
  Bytes region_ = Bytes(kRegion * kRegionCopies);
  OutboundStream out_;
  InboundStream in_{region_, kRegion};
  std::optional<RecordWriter> writer_;
  std::optional<RecordReader> reader_;
};

INSTANTIATE_TEST_SUITE_P(Of, Records,
                         testing::Values(CipherKind::chacha20_poly1305, CipherKind::aes256_gcm),
                         [](const auto& kind) {
                           return kind.param == CipherKind::aes256_gcm ? "Aes" : "Chacha";
                         });

TEST_P(Records, CarryWritesOfAnySizeInPiecesOfAnySize) {
  std::mt19937_64 random(5);
  for (unsigned i = 0; i < 300; ++i) {
    const std::size_t bytes = i % 10 == 0 ? kRegion - 8 * (random() % 100) : 8 * (random() % 200);
    if (random() % 5 == 0) writer_->renew_key();
    const auto value = static_cast<unsigned char>(i);
    const Bytes sealed = sealed_write(bytes, value);
    for (std::size_t at = 0; at < sealed.size();) {
      const std::size_t some = std::min<std::size_t>(1 + random() % 20'000, sealed.size() - at);
      ASSERT_EQ(reader_->feed({sealed.data() + at, some}, in_), State::open) << i;
      at += some;
    }
    const auto written = std::span(region_).first(bytes);
    ASSERT_TRUE(std::ranges::all_of(written, [&](std::byte b) { return b == std::byte{value}; }));
  }
  EXPECT_EQ(out_.completed(), mark_);
}

TEST_P(Records, SayNothingToWhoReadsThem) {
  const Bytes sealed = sealed_write(64, 0xab);
  const Bytes eight(8, std::byte{0xab});
  EXPECT_TRUE(std::ranges::search(sealed, eight).empty());
  EXPECT_NE(sealed, sealed_write(64, 0xab)) << "the same is not sealed alike twice";
}

TEST_P(Records, AChangedBitAnywhereEndsTheStream) {
  const Bytes sealed = sealed_write(64, 7);
  LinkKeys theirs;
  fill_test_keys(theirs, GetParam(), true);
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes altered = sealed;
    altered[bit / 8] ^= std::byte{1} << bit % 8;
    RecordReader reader(theirs.cipher, theirs.receiving);
    InboundStream in(region_, kRegion);
    const State state = reader.feed(altered, in);
    // One that is said to be longer is still waited for.
    ASSERT_TRUE(state == State::broken || (bit < 32 && state == State::open)) << bit;
    ASSERT_EQ(first(), std::byte{0}) << bit;
    ASSERT_NE(reader.feed(Bytes(kMostSealedRecordBytes), in), State::open) << bit;
  }
}

TEST_P(Records, OneThatIsLeftOutEndsTheStream) {
  (void)sealed_write(64, 1);
  EXPECT_EQ(hear(sealed_write(64, 2)), State::broken);
  EXPECT_EQ(first(), std::byte{0});
}

TEST_P(Records, OneThatComesAgainEndsTheStream) {
  const Bytes sealed = sealed_write(64, 1);
  EXPECT_EQ(hear(sealed), State::open);
  EXPECT_EQ(hear(sealed_write(64, 2)), State::open);
  EXPECT_EQ(hear(sealed), State::broken);
  EXPECT_EQ(first(), std::byte{2});
}

TEST_P(Records, WhatIsSealedWithAnotherKeyEndsTheStream) {
  LinkKeys other;
  fill_test_keys(other, GetParam(), false, 9);
  writer_.emplace(other.cipher, other.sending);
  EXPECT_EQ(hear(sealed_write(64, 1)), State::broken);
}

TEST_P(Records, WhatComesBackFromWhereItWentEndsTheStream) {
  LinkKeys mine;
  fill_test_keys(mine, GetParam(), false);
  reader_.emplace(mine.cipher, mine.receiving);
  EXPECT_EQ(hear(sealed_write(64, 1)), State::broken);
}

TEST_P(Records, AKeyThatWasRenewedDoesNotTellThoseBeforeIt) {
  LinkKeys mine;
  fill_test_keys(mine, GetParam(), false);
  LinkCipher before(mine.cipher, mine.sending);
  LinkCipher after(mine.cipher, mine.sending);
  after.advance();
  const std::uint64_t plain[1] = {7};
  std::byte sealed[8];
  std::byte tag[LinkCipher::kTagBytes];
  std::byte opened[8];
  before.seal({1, 1}, {}, std::as_bytes(std::span(plain)), sealed, tag);
  EXPECT_TRUE(before.open({1, 1}, {}, sealed, tag, opened));
  EXPECT_FALSE(before.open({1, 2}, {}, sealed, tag, opened));
  EXPECT_FALSE(before.open({2, 1}, {}, sealed, tag, opened));
  EXPECT_FALSE(after.open({1, 1}, {}, sealed, tag, opened));
}

TEST_P(Records, ImpossibleHeadersEndTheStreamAtOnce) {
  const auto starts = [&](RecordHeader header) {
    LinkKeys theirs;
    fill_test_keys(theirs, GetParam(), true);
    RecordReader reader(theirs.cipher, theirs.receiving);
    Bytes bytes(sizeof header);
    std::memcpy(bytes.data(), &header, sizeof header);
    return reader.feed(bytes, in_);
  };
  EXPECT_EQ(starts({.bytes = 0}), State::broken);
  EXPECT_EQ(starts({.bytes = kMostRecordBytes + 1}), State::broken);
  EXPECT_EQ(starts({.bytes = 8, .next_key = 2}), State::broken);
  EXPECT_EQ(starts({.bytes = kMostRecordBytes}), State::open);
}

}  // namespace
}  // namespace lockstep::transports
