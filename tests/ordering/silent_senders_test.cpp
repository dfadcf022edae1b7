#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <random>

#include "ordering/view_order.hpp"
#include "transports/sim/sim_network.hpp"

/// What it costs a sender that others have nothing to say (docs/ordering.md, turns).
namespace lockstep::ordering {
namespace {

constexpr std::uint32_t kMembers = 3;
constexpr std::uint64_t kRingBytes = 4'096;
constexpr std::uint64_t kLongNs = 10'000'000;
constexpr std::uint64_t kSilence = 2 * ViewOrder::kPassesOfASilentSender;

struct Ignore : MessageHandler {
  void apply(const Message& /*message*/) override {}
};

/// Three senders. Writes take effect between rounds; in a round every member turns once.
class SilentSenders : public testing::TestWithParam<std::uint32_t> {
 protected:
  SilentSenders() {
    for (std::uint32_t rank = 0; rank < kMembers; ++rank) {
      const ViewLayout layout{.members = kMembers,
                              .my_rank = rank,
                              .senders = {0, 1, 2},
                              .ring_bytes = kRingBytes,
                              .nonces = {11, 12, 13}};
      members_[rank] = std::make_unique<ViewOrder>(network_.endpoint(rank), layout);
    }
    round();
  }

  void publish(std::uint32_t rank) {
    ASSERT_NE(members_[rank]->claim(64), nullptr);
    members_[rank]->publish(0);
  }
  void turn(std::uint32_t rank) {
    const bool received = members_[rank]->receive();
    const bool delivered = members_[rank]->deliver(ignore_);
    members_[rank]->send(received || delivered);
  }
  void arrive() { network_.advance_to(clock_.now_ns() + kLongNs); }
  void round() {
    for (std::uint32_t rank = 0; rank < kMembers; ++rank) turn(rank);
    arrive();
  }
  /// Publishes one message, and turns until its sender has delivered it. Returns how often writes
  /// were on their way.
  std::uint32_t transfers_to_deliver(std::uint32_t rank) {
    publish(rank);
    const std::uint64_t before = delivered(rank);
    std::uint32_t transfers = 0;
    turn(rank);
    while (delivered(rank) == before && transfers < 10) {
      arrive();
      ++transfers;
      // The sender last: it sees what the others say, and says what it says with its next message.
      for (std::uint32_t k = 1; k < kMembers; ++k) turn((rank + k) % kMembers);
      arrive();
      ++transfers;
      members_[rank]->receive();
      members_[rank]->deliver(ignore_);
    }
    return transfers;
  }
  std::uint64_t delivered(std::uint32_t rank) const {
    return members_[rank]->statistics().frames_delivered;
  }
  std::uint64_t posts() const {
    std::uint64_t posts = 0;
    for (const auto& member : members_) posts += member->statistics().posts;
    return posts;
  }

  Ignore ignore_;
  runtime::ManualClock clock_;
  transports::SimNetwork network_{1,
                                  {.members = kMembers,
                                   .region_bytes = region_bytes(kRingBytes),
                                   .source_bytes = kRingBytes,
                                   .queue_writes = 64,
                                   .early_departure_permille = 0,
                                   .clog_permille = 0,
                                   .before_sleep_permille = 0},
                                  clock_};
  std::array<std::unique_ptr<ViewOrder>, kMembers> members_;
};

// Without passing ahead it takes a third transfer: a null must reach the other acknowledger first.
TEST_P(SilentSenders, TheOnlyOneThatSpeaksWaitsForTwoTransfers) {
  for (std::uint64_t k = 0; k < kSilence; ++k) transfers_to_deliver(GetParam());
  for (int k = 0; k < 10; ++k) EXPECT_EQ(transfers_to_deliver(GetParam()), 2U);
}

// To each of two others: the frame and a row with it. From each of them: one row to everybody.
TEST_P(SilentSenders, AMessageOfTheOnlyOneThatSpeaksTakesEightWrites) {
  for (std::uint64_t k = 0; k < kSilence; ++k) transfers_to_deliver(GetParam());
  for (int k = 0; k < 10; ++k) {
    const std::uint64_t before = posts();
    transfers_to_deliver(GetParam());
    EXPECT_EQ(posts() - before, 8U);
  }
}

TEST_P(SilentSenders, SpeakingAgainTakesOneMoreTransferAtMost) {
  const std::uint32_t other = (GetParam() + 1) % kMembers;
  for (std::uint64_t k = 0; k < kSilence; ++k) transfers_to_deliver(other);
  round();
  EXPECT_LE(transfers_to_deliver(GetParam()), 4U);
}

// Each of the others dies at its second write: only the first arrives.
TEST_P(SilentSenders, WhoPublishedIsToldFirst) {
  for (std::uint64_t k = 0; k < kSilence; ++k) transfers_to_deliver(GetParam());
  const std::uint64_t before = delivered(GetParam());
  publish(GetParam());
  turn(GetParam());
  arrive();
  for (std::uint32_t k = 1; k < kMembers; ++k) {
    network_.die_at(network_.operations() + 1);
    turn((GetParam() + k) % kMembers);
    ASSERT_TRUE(network_.died((GetParam() + k) % kMembers));
  }
  arrive();
  turn(GetParam());
  EXPECT_EQ(delivered(GetParam()), before + 1);
}

TEST_P(SilentSenders, AnIdleGroupFallsSilent) {
  for (std::uint64_t k = 0; k < kSilence; ++k) transfers_to_deliver(GetParam());
  for (int k = 0; k < 4; ++k) round();
  const std::uint64_t before = posts();
  for (int k = 0; k < 100; ++k) round();
  EXPECT_EQ(posts(), before);
}

// Settling tells what was delivered, once; what is held of nulls is nobody's concern.
TEST_P(SilentSenders, SettlingIsOneRowOfEachMember) {
  for (std::uint64_t k = 0; k < kSilence; ++k) transfers_to_deliver(GetParam());
  for (int k = 0; k < 4; ++k) round();
  const std::uint64_t before = posts();
  for (std::uint32_t k = 0; k < 3 * ViewOrder::kIdleTurnsBeforeSettling; ++k) round();
  EXPECT_GT(posts(), before);
  EXPECT_LE(posts(), before + kMembers * (kMembers - 1));
}

// Nobody is slow for what others passed ahead.
TEST_P(SilentSenders, NobodyWaitsForAnybodyInAnIdleGroup) {
  for (std::uint64_t k = 0; k < kSilence; ++k) transfers_to_deliver(GetParam());
  for (int k = 0; k < 4; ++k) round();
  for (const auto& member : members_) {
    for (std::uint32_t rank = 0; rank < kMembers; ++rank) {
      EXPECT_EQ(member->turns_waiting_for(rank), 0U) << rank;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ranks, SilentSenders, testing::Range(0U, kMembers));

// What is kept back as nobody's concern is nobody's concern: no message waits for the settling of
// idle members (kIdleTurnsBeforeSettling) or for their sleep, whoever sends when.
TEST_F(SilentSenders, NothingThatIsAwaitedIsKeptBack) {
  std::mt19937_64 random(20'261'124);
  std::uint64_t published = 0;
  for (int scene = 0; scene < 500; ++scene) {
    const std::uint32_t rounds = random() % 8;
    const std::uint32_t speakers = random() % 8;
    for (std::uint32_t k = 0; k <= rounds; ++k) {
      for (std::uint32_t rank = 0; rank < kMembers; ++rank) {
        if ((speakers >> rank & 1) == 0 || random() % 2 == 0) continue;
        publish(rank);
        ++published;
      }
      for (std::uint32_t rank = 0; rank < kMembers; ++rank) {
        if (random() % 4 != 0) turn(rank);
      }
      if (random() % 2 == 0) arrive();
    }
    for (int k = 0; k < 6; ++k) round();
    for (std::uint32_t rank = 0; rank < kMembers; ++rank) {
      ASSERT_EQ(delivered(rank), published) << "rank " << rank << " after scene " << scene;
    }
  }
}

// Two views later the same memory is in use again, from an index on that is above all that members
// hold, and this word would count there.
TEST(OnlySender, ShowsNoMoreThanItHolds) {
  runtime::ManualClock clock;
  transports::SimNetwork network(
      1, {.members = 2, .region_bytes = region_bytes(kRingBytes), .source_bytes = kRingBytes},
      clock);
  std::array<std::unique_ptr<ViewOrder>, 2> members;
  for (std::uint32_t rank = 0; rank < 2; ++rank) {
    const ViewLayout layout{.members = 2,
                            .my_rank = rank,
                            .senders = {0},
                            .ring_bytes = kRingBytes,
                            .nonces = {11, 12},
                            .first_index = 7};
    members[rank] = std::make_unique<ViewOrder>(network.endpoint(rank), layout);
  }
  Ignore ignore;
  ASSERT_NE(members[0]->claim(64), nullptr);
  members[0]->publish(0);
  for (int round = 0; round < 10; ++round) {
    for (const auto& member : members) {
      const bool received = member->receive();
      member->send(member->deliver(ignore) || received);
    }
    network.advance_to(clock.now_ns() + kLongNs);
  }
  EXPECT_EQ(members[0]->statistics().frames_delivered, 1U);
  EXPECT_EQ(members[1]->statistics().frames_delivered, 1U);
  EXPECT_LE(members[0]->shown_sequence(), 7U);
  EXPECT_EQ(members[1]->shown_sequence(), 8U);
  for (const auto& member : members) {
    for (const std::uint32_t rank : {0U, 1U}) EXPECT_EQ(member->turns_waiting_for(rank), 0U);
  }
}

}  // namespace
}  // namespace lockstep::ordering
