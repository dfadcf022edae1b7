#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "tests/unit/transfer_stage.hpp"

namespace lockstep::membership {
namespace {

const TransferId kId{.cut = 7, .joiner = 0xfeed};

TEST(TransferPacket, ComesBackAsItWas) {
  const Bytes body(1'000, std::byte{5});
  const Bytes bytes =
      packet_of({.kind = TransferKind::chunk, .id = kId, .number = 41, .last = true, .body = body});
  const auto packet = decode(bytes);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->kind, TransferKind::chunk);
  EXPECT_EQ(packet->id, kId);
  EXPECT_EQ(packet->number, 41U);
  EXPECT_TRUE(packet->last);
  EXPECT_FALSE(packet->again);
  EXPECT_TRUE(std::ranges::equal(packet->body, body));
}

TEST(TransferPacket, ABodyInPlaceIsNotCopied) {
  Bytes place(sizeof(TransferHeader) + 100, std::byte{9});
  const auto body = std::span(place).subspan(sizeof(TransferHeader), 60);
  const auto packet =
      encode({.kind = TransferKind::chunk, .id = kId, .number = 1, .body = body}, place);
  EXPECT_EQ(packet.size(), sizeof(TransferHeader) + 60);
  EXPECT_TRUE(decode(packet));
}

TEST(TransferPacket, EveryFlippedBitIsNoticed) {
  const Bytes body(65, std::byte{0x5a});
  for (const auto& said :
       {TransferPacket{.kind = TransferKind::chunk, .id = kId, .number = 3, .body = body},
        TransferPacket{.kind = TransferKind::wanted, .id = kId, .number = 3, .again = true},
        TransferPacket{.kind = TransferKind::say_again, .id = kId},
        TransferPacket{.kind = TransferKind::failed, .id = kId, .body = body}}) {
    const Bytes good = packet_of(said);
    ASSERT_TRUE(decode(good));
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
      Bytes bad = good;
      bad[bit / 8] ^= std::byte{1} << (bit % 8);
      EXPECT_FALSE(decode(bad)) << "bit " << bit;
    }
  }
}

TEST(TransferPacket, EveryOtherLengthIsNoticed) {
  const Bytes body(100, std::byte{1});
  Bytes bytes = packet_of({.kind = TransferKind::chunk, .id = kId, .body = body});
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(decode(std::span(bytes).first(length))) << length;
  }
  bytes.push_back(std::byte{0});
  EXPECT_FALSE(decode(bytes));
}

TEST(TransferPacket, AReasonIsCutAndFitForATerminal) {
  const std::string reason = "no\x1b[2J\x7f\n" + std::string(2 * kMostReasonBytes, 'x');
  const Bytes bytes = packet_of({.kind = TransferKind::failed, .id = kId, .body = body_of(reason)});
  const auto packet = decode(bytes);
  ASSERT_TRUE(packet);
  const std::string heard = reason_in(*packet);
  EXPECT_EQ(heard.size(), kMostReasonBytes);
  EXPECT_TRUE(heard.starts_with("no?[2J??xxx"));
}

}  // namespace
}  // namespace lockstep::membership
