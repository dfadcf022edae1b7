#include "bench/payload.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <set>
#include <span>
#include <vector>

namespace lockstep::bench {
namespace {

TEST(Payload, FillWritesEveryByteAndNoMore) {
  for (std::size_t size = 0; size < 40; ++size) {
    // A byte that was not written shows in one of two fills over different backgrounds.
    std::vector<std::byte> zeroes(size + 8, std::byte{0});
    std::vector<std::byte> ones(size + 8, std::byte{255});
    fill(std::span(zeroes).first(size), 7);
    fill(std::span(ones).first(size), 7);
    EXPECT_EQ(std::memcmp(zeroes.data(), ones.data(), size), 0) << size;
    EXPECT_EQ(zeroes[size], std::byte{0}) << size;
    EXPECT_EQ(ones[size], std::byte{255}) << size;
  }
}

TEST(Payload, SumSeesEveryByte) {
  for (std::size_t size = 1; size < 40; ++size) {
    std::vector<std::byte> payload(size);
    fill(payload, 7);
    const std::uint64_t before = sum(payload);
    for (std::size_t i = 0; i < size; ++i) {
      payload[i] ^= std::byte{1};
      EXPECT_NE(sum(payload), before) << "byte " << i << " of " << size;
      payload[i] ^= std::byte{1};
    }
  }
}

TEST(Digest, DependsOnEveryFieldAndOnTheOrder) {
  const auto digest_of = [](std::vector<std::array<std::uint64_t, 3>> messages) {
    Digest digest;
    for (const auto& [sequence, sender, payload] : messages) digest.add(sequence, sender, payload);
    return digest.value();
  };
  const std::set<std::uint64_t> digests = {
      digest_of({}),
      digest_of({{0, 0, 0}}),
      digest_of({{1, 0, 0}}),
      digest_of({{0, 1, 0}}),
      digest_of({{0, 0, 1}}),
      digest_of({{0, 0, 0}, {1, 1, 5}}),
      digest_of({{1, 1, 5}, {0, 0, 0}}),
      digest_of({{0, 0, 5}, {1, 1, 0}}),
  };
  EXPECT_EQ(digests.size(), 8U);
}

}  // namespace
}  // namespace lockstep::bench
