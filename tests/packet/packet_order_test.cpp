// What becomes of one packet, by its place in the order: past, next, early, doubled, beyond, and of
// another epoch of the link.

#include <gtest/gtest.h>

#include "tests/packet/handmade.hpp"

namespace lockstep::transports::packet {
namespace {

Head head_of(std::uint64_t sequence, std::uint64_t transmission = 1) {
  return {.transmission = transmission, .sequence = sequence};
}

/// Keeps what a link says.
class Ear final : public Wire {
 public:
  bool send(std::span<const std::byte> packet) noexcept override {
    heard = parse(packet, kMine);
    return true;
  }
  std::optional<Parsed> heard;  ///< its body is not to be looked at
};

/// What the link tells of what it has, asked at once.
Parsed told_by(LoneLink& lone) {
  Ear ear;
  lone.link.send(3'000, ear, true);
  return ear.heard.value_or(Parsed{});
}

TEST(PacketOrder, TheNextIsAppliedAtOnce) {
  LoneLink lone;
  lone.hear(made(head_of(0), word_written(7)));
  EXPECT_EQ(lone.word(), 7U);
  EXPECT_EQ(told_by(lone).head.received, 1U);
}

TEST(PacketOrder, AnEarlyOneWaitsForThoseBeforeIt) {
  LoneLink lone;
  lone.hear(made(head_of(2, 3), word_written(9)));
  EXPECT_EQ(lone.word(), 0U);
  const Parsed told = told_by(lone);
  EXPECT_EQ(told.head.received, 0U);
  ASSERT_EQ(told.head.ahead_words, 1U);
  EXPECT_EQ(told.ahead[0], 0b10U);
  lone.hear(made(head_of(0), word_written(7)));
  EXPECT_EQ(lone.word(), 7U);
  lone.hear(made(head_of(1, 2), word_written(8)));
  EXPECT_EQ(lone.word(), 9U);
  EXPECT_EQ(told_by(lone).head.received, 3U);
}

TEST(PacketOrder, APastOneChangesNothingAndIsAcknowledgedAgain) {
  LoneLink lone;
  lone.hear(made(head_of(0), word_written(7)));
  lone.hear(made(head_of(1, 2), word_written(8)));
  (void)told_by(lone);
  lone.hear(made(head_of(0, 3), word_written(7)));
  EXPECT_EQ(lone.word(), 8U);
  EXPECT_EQ(lone.link.counts().received_again, 1U);
  const Parsed told = told_by(lone);
  EXPECT_EQ(told.head.received, 2U);
  EXPECT_EQ(told.head.newest, 3U);
}

TEST(PacketOrder, AnEarlyOneThatComesTwiceIsHeldOnce) {
  LoneLink lone;
  lone.hear(made(head_of(1, 2), word_written(8)));
  lone.hear(made(head_of(1, 3), word_written(8)));
  EXPECT_EQ(lone.link.counts().received_again, 1U);
  lone.hear(made(head_of(0), word_written(7)));
  EXPECT_EQ(lone.word(), 8U);
  EXPECT_EQ(told_by(lone).head.received, 2U);
}

TEST(PacketOrder, OneOfAnotherEpochOfTheLinkIsDropped) {
  LoneLink lone;
  lone.hear(made(head_of(0), word_written(7), {}, LinkSecret{33}));
  EXPECT_EQ(lone.word(), 0U);
  EXPECT_EQ(lone.link.counts().rejected, 1U);
}

TEST(PacketOrder, ASingleDamagedBitIsNoticedWhereverItIs) {
  const auto sound = made(head_of(0), word_written(7), {1});
  for (std::size_t bit = 0; bit < sound.size() * 8; ++bit) {
    auto damaged = sound;
    damaged[bit / 8] ^= std::byte{1} << bit % 8;
    LoneLink lone;
    lone.talk(4);
    lone.hear(damaged);
    ASSERT_EQ(lone.word(), 0U) << "bit " << bit;
    ASSERT_EQ(lone.link.counts().rejected, 1U) << "bit " << bit;
  }
}

TEST(PacketOrder, AStreamThatNoPeerSendsEndsTheLink) {
  LoneLink lone;
  auto body = word_written(7);
  body[8] = std::byte{kRegionBytes};  // the offset
  lone.hear(made(head_of(0), body));
  EXPECT_EQ(lone.link.down(), DownReason::protocol_error);
}

TEST(PacketOrder, LeavingIsHeardAndAcknowledged) {
  LoneLink lone;
  const stream::FrameHeader leave{.kind = stream::Kind::leave};
  std::vector<std::byte> body(sizeof leave);
  std::memcpy(body.data(), &leave, sizeof leave);
  lone.hear(made(head_of(0), body));
  EXPECT_EQ(lone.link.down(), DownReason::peer_left);
  EXPECT_EQ(told_by(lone).head.received, 1U);
}

TEST(PacketOrder, APeerThatHasWhatItDoesNotCountIsNotSentItAgain) {
  LoneLink lone;
  lone.talk(3);
  std::uint64_t said = 0;
  const auto says = [&said](std::uint64_t received, std::vector<std::uint64_t> ahead) {
    return made({.kind = Kind::acknowledgement, .transmission = ++said, .received = received}, {},
                ahead);
  };
  lone.hear(says(0, {0b01}));
  lone.hear(says(1, {}));
  lone.link.send(lone.link.deadline_ns(), lone.wire, false);
  EXPECT_EQ(lone.link.counts().sent_again, 1U);
  lone.hear(says(3, {}));
  EXPECT_TRUE(lone.link.settled());
}

TEST(PacketOrder, SmallWritesShareAPacketAndALargeOneTakesSeveral) {
  std::vector<std::byte> region(2 * 8'192);
  PacketLink link({.mine = kMine,
                   .theirs = kTheirs,
                   .packet_bytes = 1'024,
                   .peer_packet_bytes = 1'024,
                   .peer_credit = kCredit,
                   .my_credit = kCredit,
                   .give_up_ns = 1'000'000'000,
                   .region_bytes = 8'192},
                  region);
  LossyWire wire({}, 1);
  const std::uint64_t word[] = {1};
  for (int i = 0; i < 10; ++i) link.push(0, 0, std::as_bytes(std::span(word)), 1);
  link.send(1'000, wire, false);
  EXPECT_EQ(wire.sent(), 1U);
  const std::vector<std::byte> large(4'096);
  link.push(0, 0, large, 2);
  link.send(1'000, wire, false);
  EXPECT_EQ(wire.sent(), 1U + 5U);
  EXPECT_EQ(link.completed(), 2U);
}

TEST(PacketOrder, APeerThatTakesNothingBlocksTheWriter) {
  LoneLink lone;
  const std::uint64_t word[] = {1};
  Post last = Post::posted;
  for (int i = 0; i < 10'000 && last == Post::posted; ++i) {
    last = lone.link.push(0, 0, std::as_bytes(std::span(word)), 1);
    lone.link.send(1'000, lone.wire, false);
  }
  EXPECT_EQ(last, Post::would_block);
  EXPECT_EQ(lone.wire.sent(), kCredit);
}

}  // namespace
}  // namespace lockstep::transports::packet
