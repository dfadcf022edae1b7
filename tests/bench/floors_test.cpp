#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "bench/floor_ping.hpp"
#include "bench/floor_stream.hpp"
#include "bench/stamps.hpp"
#include "tools/launch/shared_array.hpp"

namespace lockstep::bench {
namespace {

/// Shared memory of the floors is page-aligned; threads see it all the same.
class Memory {
 public:
  explicit Memory(std::size_t bytes) : array_(*launch::SharedArray<std::byte>::create(bytes)) {}
  [[nodiscard]] std::span<std::byte> span() const { return array_.elements(); }

 private:
  launch::SharedArray<std::byte> array_;
};

class Floors : public testing::TestWithParam<std::uint64_t> {
 protected:
  runtime::TscClock clock_;
};

TEST_P(Floors, PingMakesTheRoundTripsItWasAskedFor) {
  const Memory memory(FloorPing::memory_bytes(GetParam()));
  FloorPing first(memory.span(), GetParam(), clock_, true);
  FloorPing second(memory.span(), GetParam(), clock_, true);
  launch::Histogram histogram;
  for (std::uint64_t block = 1; block <= 3; ++block) {
    std::thread echo([&] { EXPECT_TRUE(second.echo().has_value()); });
    const auto complete = first.measure(200, 60'000'000'000, histogram);
    echo.join();
    ASSERT_TRUE(complete.has_value()) << complete.error().message;
    EXPECT_TRUE(*complete);
    EXPECT_EQ(histogram.count(), block * 200);
  }
  EXPECT_GT(histogram.min(), 0U);
}

TEST_P(Floors, APingOutOfTimeReleasesTheOtherSide) {
  const Memory memory(FloorPing::memory_bytes(GetParam()));
  FloorPing first(memory.span(), GetParam(), clock_, true);
  FloorPing second(memory.span(), GetParam(), clock_, true);
  launch::Histogram histogram;
  std::thread echo([&] { EXPECT_TRUE(second.echo().has_value()); });
  const auto complete = first.measure(1'000'000'000, 1'000'000, histogram);
  echo.join();
  ASSERT_TRUE(complete.has_value());
  EXPECT_FALSE(*complete);
}

TEST_P(Floors, TheStreamDeliversEverythingOnceInOrder) {
  const Memory memory(FloorStream::memory_bytes(GetParam()));
  FloorStream out(memory.span(), GetParam());
  FloorStream in(memory.span(), GetParam());
  constexpr std::uint64_t kMessages = 20'000;
  std::thread producer([&] {
    for (std::uint64_t sent = 0; sent < kMessages;) {
      const std::uint64_t some = out.produce(std::min<std::uint64_t>(7, kMessages - sent));
      if (some == 0) std::this_thread::yield();
      sent += some;
    }
  });
  for (std::uint64_t received = 0; received < kMessages;) {
    const std::uint64_t some = in.consume(std::min<std::uint64_t>(5, kMessages - received));
    if (some == 0) std::this_thread::yield();
    received += some;
  }
  producer.join();
  EXPECT_EQ(in.consume(1), 0U);

  Digest expected;
  std::vector<std::byte> payload(GetParam());
  for (std::uint64_t i = 0; i < kMessages; ++i) {
    fill(payload, i);
    expected.add(i, 0, sum(payload));
  }
  EXPECT_EQ(in.digest(), expected.value());
}

TEST_P(Floors, TheStreamStopsWhenItsRingIsFull) {
  const Memory memory(FloorStream::memory_bytes(GetParam()));
  FloorStream out(memory.span(), GetParam());
  FloorStream in(memory.span(), GetParam());
  const std::uint64_t room = out.produce(1'000'000);
  EXPECT_LT(room, 1'000'000U);
  EXPECT_EQ(out.produce(1), 0U);
  EXPECT_EQ(in.consume(1'000'000), room);
  EXPECT_EQ(out.produce(1'000'000), room);
}

INSTANTIATE_TEST_SUITE_P(Payloads, Floors, testing::Values(0, 1, 8, 64, 65, 1'000, 10'240));

TEST(Stamps, TakeTheLastMemberOfMessagesThatHaveAllTheirStamps) {
  auto words = *launch::SharedArray<std::uint64_t>::create(Stamps::words_for(100, 3));
  Stamps stamps(words.elements(), 3, 2, 4);
  EXPECT_TRUE(stamps.chosen(0));
  EXPECT_FALSE(stamps.chosen(1));
  EXPECT_TRUE(stamps.chosen(4));
  EXPECT_FALSE(stamps.chosen(4 * 50)) << "there is room for 50 of each sender";
  for (std::uint32_t rank = 0; rank < 3; ++rank) stamps.touch(rank);

  stamps.published(0, 4, 1'000);
  stamps.applied(0, 0, 4, 1'100);
  stamps.applied(1, 0, 4, 1'150);
  stamps.applied(2, 0, 4, 1'120);
  stamps.published(1, 4, 2'000);
  stamps.applied(0, 1, 4, 2'010);
  stamps.applied(1, 1, 4, 2'020);
  stamps.applied(2, 1, 4, 2'030);
  stamps.published(1, 8, 3'000);  // never applied by rank 1
  stamps.applied(0, 1, 8, 3'900);
  stamps.applied(2, 1, 8, 3'900);

  const launch::Histogram last = stamps.to_last(2);
  EXPECT_EQ(last.count(), 2U);
  EXPECT_EQ(last.min(), 30U);
  EXPECT_EQ(last.max(), 150U);
}

}  // namespace
}  // namespace lockstep::bench
