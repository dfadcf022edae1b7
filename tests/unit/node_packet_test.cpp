#include <gtest/gtest.h>

#include <string>

#include "tools/node/kv_packet.hpp"

namespace lockstep::node {
namespace {

/// A header as a client might write it, correct or not.
std::string header(std::string_view magic, std::uint8_t kind, std::uint8_t zero,
                   std::uint16_t key_bytes, std::uint32_t value_bytes) {
  std::string text(magic);
  text += static_cast<char>(kind);
  text += static_cast<char>(zero);
  text.append(reinterpret_cast<const char*>(&key_bytes), sizeof key_bytes);
  text.append(reinterpret_cast<const char*>(&value_bytes), sizeof value_bytes);
  return text;
}

std::string refusal_of(const std::string& bytes) {
  const auto decoded = decode_request(as_bytes(bytes));
  return decoded ? "(none)" : decoded.error().message;
}

TEST(KvPacket, RequestsComeBackAsTheyWere) {
  for (const Request& request :
       {Request{.kind = RequestKind::put, .key = "cart", .value = "5"},
        Request{.kind = RequestKind::put, .key = std::string_view("\0\n", 2), .value = {}},
        Request{.kind = RequestKind::get, .key = "cart"},
        Request{.kind = RequestKind::ordered_get, .key = "cart"},
        Request{.kind = RequestKind::list}}) {
    const std::string packet = encode(request) + "what follows";
    const auto decoded = decode_request(as_bytes(packet));
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(decoded->bytes, packet.size() - 12);
    EXPECT_EQ(decoded->packet.kind, request.kind);
    EXPECT_EQ(decoded->packet.key, request.key);
    EXPECT_EQ(decoded->packet.value, request.value);
  }
}

TEST(KvPacket, HalfARequestIsNoneYet) {
  const std::string packet = encode(Request{.kind = RequestKind::put, .key = "k", .value = "v"});
  for (std::size_t bytes = 0; bytes < packet.size(); ++bytes) {
    const auto decoded = decode_request(as_bytes(std::string_view(packet).substr(0, bytes)));
    ASSERT_TRUE(decoded) << bytes;
    EXPECT_EQ(decoded->bytes, 0U) << bytes;
  }
}

TEST(KvPacket, NonsenseIsRefusedAsSoonAsItShows) {
  EXPECT_NE(refusal_of("G").find("begin with LKV1"), std::string::npos);
  EXPECT_NE(refusal_of("LKA1").find("begin with LKV1"), std::string::npos);
  EXPECT_NE(refusal_of(header("LKV1", 0, 0, 1, 0)).find("kind 0"), std::string::npos);
  EXPECT_NE(refusal_of(header("LKV1", 5, 0, 1, 0)).find("kind 5"), std::string::npos);
  EXPECT_NE(refusal_of(header("LKV1", 1, 9, 1, 0)), "(none)");
  EXPECT_NE(refusal_of(header("LKV1", 2, 0, 0, 0)).find("empty key"), std::string::npos);
  EXPECT_NE(refusal_of(header("LKV1", 2, 0, 257, 0)).find("257"), std::string::npos);
  EXPECT_NE(refusal_of(header("LKV1", 2, 0, 1, 1)).find("at most 0"), std::string::npos);
  EXPECT_NE(refusal_of(header("LKV1", 1, 0, 1, 0xffff'ffff)).find("4294967295"), std::string::npos);
}

TEST(KvPacket, RepliesComeBackAsTheyWere) {
  const std::string packet =
      encode(Reply{.status = ReplyStatus::absent, .more = true, .body = "b"});
  const auto decoded = decode_reply(as_bytes(packet));
  ASSERT_TRUE(decoded && decoded->bytes == packet.size());
  EXPECT_EQ(decoded->packet.status, ReplyStatus::absent);
  EXPECT_TRUE(decoded->packet.more);
  EXPECT_EQ(decoded->packet.body, "b");
  EXPECT_FALSE(decode_reply(as_bytes(header("LKA1", 3, 0, 0, 0))));
  EXPECT_FALSE(decode_reply(as_bytes(header("LKA1", 0, 2, 0, 0))));
  EXPECT_FALSE(decode_reply(as_bytes(header("LKA1", 0, 0, 0, 0x7fff'ffff))));
  EXPECT_FALSE(decode_reply(as_bytes(std::string("HTTP"))));
}

TEST(KvPacket, ListsThatEndInsideAnEntryAreRefused) {
  std::string list;
  append_entry(list, {.key = "a", .value = std::string(70'000, 'v')});
  append_entry(list, {.key = "b", .value = ""});
  const auto entries = decode_entries(list);
  ASSERT_TRUE(entries && entries->size() == 2);
  EXPECT_EQ((*entries)[0].value.size(), 70'000U);
  EXPECT_FALSE(decode_entries(std::string_view(list).substr(0, list.size() - 1)));
}

}  // namespace
}  // namespace lockstep::node
