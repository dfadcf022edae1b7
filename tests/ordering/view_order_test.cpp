#include "ordering/view_order.hpp"

#include <gtest/gtest.h>

#include "transports/sim/sim_network.hpp"

namespace lockstep::ordering {
namespace {

constexpr std::uint64_t kRingBytes = 4'096;
constexpr std::uint64_t kLongNs = 10'000'000;

transports::SimOptions two_members(std::uint32_t queue_writes) {
  return {.members = 2,
          .region_bytes = region_bytes(kRingBytes),
          .source_bytes = kRingBytes,
          .queue_writes = queue_writes,
          .early_departure_permille = 0,
          .clog_permille = 0,
          .before_sleep_permille = 0};
}

ViewLayout layout_of(std::uint32_t rank) {
  return {.members = 2,
          .my_rank = rank,
          .senders = {0, 1},
          .ring_bytes = kRingBytes,
          .nonces = {11, 12}};
}

struct Ignore : MessageHandler {
  void apply(const Message& /*message*/) override {}
};

class ViewOrderTest : public testing::Test {
 protected:
  // Everybody shows a row once, to begin with.
  void SetUp() override {
    first_.send(true);
    second_.send(true);
    pass_time();
  }
  void publish(ViewOrder& order) {
    ASSERT_NE(order.claim(64), nullptr);
    order.publish(0);
  }
  void pass_time() { network_.advance_to(clock_.now_ns() + kLongNs); }

  runtime::ManualClock clock_;
  transports::SimNetwork network_{1, two_members(2), clock_};
  ViewOrder first_{network_.endpoint(0), layout_of(0)};
  ViewOrder second_{network_.endpoint(1), layout_of(1)};
};

// Simulation found it (I5, a sleeper not woken): a send step was refused by a full queue, the beat
// of the same turn was not, and took the frames with it in silence.
TEST_F(ViewOrderTest, ABeatThatCarriesFramesWakesTheirReader) {
  publish(first_);
  first_.send(true);  // a frame and a row: the queue is full
  publish(first_);
  first_.send(true);
  publish(first_);
  first_.send(true);
  ASSERT_GE(first_.statistics().stalls_link_full, 1U);
  pass_time();
  second_.receive();
  Ignore ignore;
  second_.deliver(ignore);
  second_.settle();
  network_.endpoint(1).announce_sleep();
  ASSERT_FALSE(second_.anything_new());

  first_.beat();
  pass_time();

  EXPECT_TRUE(second_.anything_new());
  EXPECT_TRUE(network_.is_woken(1));
}

TEST_F(ViewOrderTest, ABeatAloneWakesNobody) {
  network_.endpoint(1).announce_sleep();
  first_.beat();
  pass_time();
  EXPECT_EQ(second_.beat_of(0), 1U);
  EXPECT_FALSE(network_.is_woken(1));
}

// Two writes an exchange: what a frame says by itself takes no row.
TEST_F(ViewOrderTest, AFrameNeedsNoRow) {
  Ignore ignore;
  const std::uint64_t rows = first_.statistics().row_pushes;
  publish(first_);
  first_.send(true);
  EXPECT_EQ(first_.statistics().row_pushes, rows);

  pass_time();
  second_.receive();
  second_.deliver(ignore);
  EXPECT_EQ(second_.statistics().frames_delivered, 1U) << "who sent it holds it";
  second_.send(true);
  EXPECT_EQ(second_.statistics().row_pushes, 2U) << "the acknowledgement";

  pass_time();
  first_.receive();
  first_.deliver(ignore);
  EXPECT_EQ(first_.statistics().frames_delivered, 1U);
  EXPECT_EQ(first_.statistics().row_pushes, rows);
}

}  // namespace
}  // namespace lockstep::ordering
