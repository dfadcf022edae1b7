#include "transports/fault/faulty_transport.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <vector>

#include "transports/sim/sim_network.hpp"

namespace lockstep::transports {
namespace {

using Words = std::vector<std::uint64_t>;

class FaultyTransportTest : public testing::Test {
 protected:
  std::unique_ptr<FaultyTransport> wrap(const FaultPlan& plan) {
    return FaultyTransport::wrap(network_.endpoint(0), 3, plan).value();
  }
  static Post write(Transport& transport, LinkId link, std::uint64_t value) {
    return transport.write(link, 0, 0, std::as_bytes(std::span(&value, 1)), value);
  }
  std::uint64_t word_at(std::uint32_t rank) {
    return *reinterpret_cast<const std::uint64_t*>(network_.endpoint(rank).inbound(0, 0).data());
  }
  void run_dry() {
    while (network_.next_event_ns() != kNever) network_.advance_to(network_.next_event_ns());
  }
  static std::vector<LinkDown> poll(Transport& transport) {
    std::array<LinkDown, 4> events{};
    const std::size_t count = transport.poll(events);
    return {events.begin(), events.begin() + static_cast<std::ptrdiff_t>(count)};
  }

  runtime::ManualClock clock_;
  SimNetwork network_{1, {.members = 3}, clock_};
};

TEST_F(FaultyTransportTest, BlocksInBursts) {
  const auto transport =
      wrap({.would_block_permille = 100, .would_block_burst = 3, .hold_permille = 0});
  int longest = 0;
  int run = 0;
  std::uint64_t value = 1;
  for (int i = 0; i < 1'000; ++i) {
    run_dry();
    if (write(*transport, 1, value) == Post::would_block) {
      longest = std::max(longest, ++run);
    } else {
      run = 0;
      ++value;
    }
    transport->flush(1);
  }
  EXPECT_GT(value, 500U);
  EXPECT_GE(longest, 3);
  run_dry();
  EXPECT_EQ(word_at(1), value - 1);
}

TEST_F(FaultyTransportTest, HoldsPostsBackAndReleasesThemInOrder) {
  const auto transport =
      wrap({.would_block_permille = 0, .hold_permille = 1'000, .hold_polls = 5, .hold_writes = 3});
  EXPECT_EQ(write(*transport, 1, 1), Post::posted);
  EXPECT_EQ(write(*transport, 1, 2), Post::posted);
  EXPECT_EQ(write(*transport, 1, 3), Post::posted);
  EXPECT_EQ(write(*transport, 1, 4), Post::would_block) << "three are as many as may be held";
  transport->flush(1);
  run_dry();
  EXPECT_EQ(word_at(1), 0U);
  EXPECT_EQ(transport->completed(1), 0U);
  EXPECT_TRUE(transport->holds_posts());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(poll(*transport).empty());
  run_dry();
  EXPECT_EQ(word_at(1), 3U);
  EXPECT_EQ(transport->completed(1), 3U);
  EXPECT_FALSE(transport->holds_posts());
}

TEST_F(FaultyTransportTest, TakesALinkDownAfterTheGivenNumberOfPosts) {
  const auto transport = wrap({.would_block_permille = 0,
                               .hold_permille = 0,
                               .down_link = 2,
                               .down_after_posts = 3,
                               .down_reason = DownReason::peer_left});
  for (std::uint64_t value = 1; value <= 3; ++value) {
    EXPECT_EQ(write(*transport, 1, value), Post::posted);
    EXPECT_EQ(write(*transport, 2, value), Post::posted);
  }
  EXPECT_EQ(write(*transport, 2, 4), Post::would_block) << "until the medium lets sources go";
  transport->flush(1);
  transport->flush(2);
  run_dry();
  const auto downs = poll(*transport);
  ASSERT_EQ(downs.size(), 1U);
  EXPECT_EQ(downs[0].link, 2U);
  EXPECT_EQ(downs[0].reason, DownReason::peer_left);
  EXPECT_TRUE(poll(*transport).empty());
  EXPECT_EQ(write(*transport, 2, 4), Post::down);
  EXPECT_EQ(transport->completed(2), 3U);
  EXPECT_EQ(write(*transport, 1, 4), Post::posted);
}

TEST_F(FaultyTransportTest, ReportsALinkThatBreaksUnderneathOnlyOnce) {
  const auto transport =
      wrap({.would_block_permille = 0, .hold_permille = 0, .down_link = 1, .down_after_posts = 1});
  EXPECT_EQ(write(*transport, 1, 1), Post::posted);
  transport->flush(1);
  run_dry();
  EXPECT_EQ(poll(*transport).size(), 1U);
  network_.fail_link(0, 1, DownReason::link_failed);
  EXPECT_TRUE(poll(*transport).empty());
}

TEST_F(FaultyTransportTest, ASleeperWithHeldPostsIsNotLeftAsleep) {
  const auto transport = wrap({.would_block_permille = 0, .hold_permille = 1'000});
  std::uint64_t value = 0;
  const auto fill_the_queue_underneath = [&] {
    while (write(network_.endpoint(0), 1, 0) == Post::posted) {
    }
  };
  EXPECT_EQ(write(*transport, 1, ++value), Post::posted);
  fill_the_queue_underneath();
  transport->announce_sleep();
  ASSERT_TRUE(transport->holds_posts());
  pollfd waited{.fd = transport->descriptors().back(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&waited, 1, 0), 1);
  transport->announce_awake();
  EXPECT_EQ(::poll(&waited, 1, 0), 0);
  run_dry();
  transport->announce_sleep();
  EXPECT_FALSE(transport->holds_posts());
  EXPECT_EQ(::poll(&waited, 1, 0), 0);
  run_dry();
  EXPECT_EQ(word_at(1), value);
}

TEST_F(FaultyTransportTest, AHeldPostStillRingsTheDoorbellItWasGiven) {
  const auto transport = wrap({.would_block_permille = 0, .hold_permille = 1'000, .hold_polls = 1});
  network_.endpoint(1).announce_sleep();
  EXPECT_EQ(write(*transport, 1, 7), Post::posted);
  transport->flush(1);
  transport->ring_doorbells();
  run_dry();
  EXPECT_FALSE(network_.is_woken(1));
  poll(*transport);
  run_dry();
  EXPECT_TRUE(network_.is_woken(1));
  EXPECT_EQ(word_at(1), 7U);
}

}  // namespace
}  // namespace lockstep::transports
