#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "tests/unit/node_snapshot_pieces.hpp"
#include "tools/node/engine_application.hpp"

namespace lockstep::node {
namespace {

using examples::OrderKind;
using examples::OrderMessage;
using examples::Side;

OrderMessage limit(std::uint64_t id, Side side, std::uint32_t price) {
  return {
      .order_id = id, .price = price, .quantity = 10, .kind = OrderKind::add_limit, .side = side};
}

void hear(EngineApplication& engine, std::string_view packet, std::uint64_t sequence = 7) {
  engine.apply({.payload = as_bytes(packet), .sequence = sequence, .mine = true});
}

std::string error_of(std::string_view packet) {
  const auto decoded = decode_engine_request(as_bytes(packet));
  if (!decoded) return decoded.error().message;
  return decoded->bytes == 0 ? "(not whole)" : "(none)";
}

Reply last_reply(const EngineApplication& engine) {
  return decode_reply(as_bytes(engine.last_reply())).value().packet;
}

EngineDigest digest_of(const EngineApplication& engine) {
  const std::string reply = engine.answer(as_bytes(encode_digest_request(false))).value();
  return decode_engine_digest(decode_reply(as_bytes(reply)).value().packet).value();
}

const std::vector<OrderMessage> kOrders = {limit(1, Side::buy, 100), limit(2, Side::sell, 100),
                                           limit(3, Side::sell, 101)};

TEST(EnginePacket, ComesOutAsItWentIn) {
  const std::string packet = encode_orders(kOrders);
  for (std::size_t bytes = 0; bytes < packet.size(); ++bytes) {
    EXPECT_EQ(error_of(packet.substr(0, bytes)), "(not whole)");
  }
  // Anywhere in memory, with something behind it.
  const std::string moved = "x" + packet + "LME1";
  const auto decoded = decode_engine_request(as_bytes(moved).subspan(1));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->bytes, packet.size());
  ASSERT_EQ(decoded->packet.count(), kOrders.size());
  for (std::size_t i = 0; i < kOrders.size(); ++i) EXPECT_EQ(decoded->packet.order(i), kOrders[i]);
  EXPECT_EQ(error_of(encode_digest_request(false)), "(none)");
  EXPECT_EQ(error_of(encode_digest_request(true)), "(none)");
}

TEST(EnginePacket, RefusesWhatNoClientSends) {
  const std::string packet = encode_orders(kOrders);
  const auto with = [&](std::size_t at, char byte) {
    std::string wrong = packet;
    wrong[at] = byte;
    return error_of(wrong);
  };
  EXPECT_EQ(error_of("LK"), "not a packet of the matching engine: it does not begin with LME1");
  EXPECT_NE(with(4, 0).find("unknown kind 0"), std::string::npos);
  EXPECT_NE(with(4, 4).find("unknown kind 4"), std::string::npos);
  EXPECT_NE(with(5, 1).find("unknown kind"), std::string::npos);
  EXPECT_NE(with(6, 1).find("unknown kind"), std::string::npos);
  EXPECT_NE(with(4, 2).find("a question with 120 bytes"), std::string::npos);
  EXPECT_NE(with(8, 0).find("orders of 0 bytes"), std::string::npos);
  EXPECT_NE(with(8, 121).find("orders of 121 bytes"), std::string::npos);
  EXPECT_NE(with(11, 1).find("orders of 16777336 bytes"), std::string::npos);
  // The second order: a kind that there is not, the end of an input, and a side.
  const std::size_t kind_at = kPacketHeaderBytes + sizeof(OrderMessage) + 34;
  EXPECT_NE(with(kind_at, 0).find("order 2 of 3 is of kind 0"), std::string::npos);
  EXPECT_NE(with(kind_at, 11).find("order 2 of 3 is of kind 11"), std::string::npos);
  EXPECT_NE(with(kind_at + 1, 3).find("order 2 of 3 is of kind 1 and side 3"), std::string::npos);
}

TEST(EngineApplication, SaysWhatOrdersCameTo) {
  EngineApplication engine(100);
  hear(engine, encode_orders(std::span(kOrders).first(1)));
  hear(engine, encode_orders(std::span(kOrders).subspan(1)), 9);
  const OrdersApplied applied = decode_orders_applied(last_reply(engine)).value();
  EXPECT_EQ(applied.sequence, 9U);
  EXPECT_EQ(applied.counts.orders, 2U);
  EXPECT_EQ(applied.counts.fills, 1U);
  const EngineDigest digest = digest_of(engine);
  EXPECT_EQ(digest.counts.orders, 3U);
  EXPECT_EQ(digest.counts.fills, 1U);
  EXPECT_EQ(digest.resting, 1U);
  EXPECT_EQ(digest.digest, engine.engine().digest());
  hear(engine, encode_digest_request(true));
  EXPECT_EQ(decode_engine_digest(last_reply(engine)).value().digest, digest.digest);
  EXPECT_EQ(engine.summary(), "3 orders, 1 rest, digest " + examples::to_hex(digest.digest));
  EXPECT_FALSE(engine.answer(as_bytes(encode_orders(kOrders))));
  EXPECT_FALSE(decode_orders_applied({.body = "short"}));
}

// What one member publishes must not stop the others, and all must count alike.
TEST(EngineApplication, IgnoresWhatIsNoRequestOfTheOrder) {
  EngineApplication engine(100);
  const std::string packet = encode_orders(kOrders);
  const std::array<std::string, 4> wrong = {"", packet.substr(0, 60), packet + "x",
                                            encode_digest_request(false)};
  for (const std::string& message : wrong) {
    hear(engine, message);
    EXPECT_EQ(last_reply(engine).status, ReplyStatus::refused);
  }
  EXPECT_EQ(digest_of(engine).counts.malformed, wrong.size());
  EXPECT_EQ(digest_of(engine).counts.orders, 0U);
}

TEST(EngineApplication, GoesOnFromTheStateOfAnother) {
  EngineApplication donor(100);
  hear(donor, encode_orders(kOrders));
  hear(donor, "malformed");
  tests::MemoryWriter writer(1'000, 64);
  bool whole = false;
  for (bool first = true; !whole; first = false) {
    writer.begin_call(first);
    whole = donor.save(writer);
  }
  EngineApplication joiner(100);
  EXPECT_EQ(tests::load_in_pieces(joiner, writer.bytes, 37), "");
  EXPECT_EQ(joiner.summary(), donor.summary());
  for (EngineApplication* engine : {&donor, &joiner}) {
    hear(*engine, encode_orders(std::array{limit(4, Side::buy, 200)}));
  }
  EXPECT_EQ(joiner.summary(), donor.summary());
  EXPECT_EQ(digest_of(joiner).counts, digest_of(donor).counts);

  EngineApplication smaller(50);
  EXPECT_NE(tests::load_in_pieces(smaller, writer.bytes, 37).find("node.book_orders"),
            std::string::npos);
}

TEST(EngineApplication, ForgetsEverything) {
  EngineApplication engine(100);
  const std::string fresh = engine.summary();
  hear(engine, encode_orders(kOrders));
  hear(engine, "malformed");
  ASSERT_NE(engine.summary(), fresh);
  engine.clear();
  EXPECT_EQ(engine.summary(), fresh);
  EXPECT_EQ(digest_of(engine).counts, examples::EngineCounts{});
  hear(engine, encode_orders(kOrders));
  EngineApplication other(100);
  hear(other, encode_orders(kOrders));
  EXPECT_EQ(engine.summary(), other.summary());
}

}  // namespace
}  // namespace lockstep::node
