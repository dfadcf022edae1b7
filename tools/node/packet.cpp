#include "tools/node/packet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>

namespace lockstep::node {
namespace {

static_assert(std::endian::native == std::endian::little, "packets are copied as they stand");

constexpr PacketMagic kReplyMagic = {'L', 'K', 'A', '1'};
constexpr std::size_t kMostBodyBytes = kMostPacketBytes - kPacketHeaderBytes;

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

Expected<Decoded<PacketHeader>> decode_header(std::string_view text, const PacketMagic& magic,
                                              std::string_view whose) {
  const std::size_t seen = std::min(text.size(), magic.size());
  if (!std::equal(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(seen), magic.begin())) {
    return fail(ErrorCode::input, fmt::format("not a packet of {}: it does not begin with {}",
                                              whose, std::string_view(magic.data(), magic.size())));
  }
  Decoded<PacketHeader> decoded{};
  if (text.size() < sizeof decoded.packet) return decoded;
  std::memcpy(&decoded.packet, text.data(), sizeof decoded.packet);
  decoded.bytes = sizeof decoded.packet;
  return decoded;
}

std::string encode(const PacketHeader& header, std::string_view key, std::string_view value) {
  require(header.key_bytes == key.size() && header.value_bytes == value.size());
  std::string text(sizeof header, '\0');
  text.reserve(sizeof header + key.size() + value.size());
  std::memcpy(text.data(), &header, sizeof header);
  text += key;
  text += value;
  return text;
}

Expected<Decoded<Reply>> decode_reply(std::span<const std::byte> bytes) {
  const std::string_view text = as_text(bytes);
  const auto head = decode_header(text, kReplyMagic, "a member");
  if (!head) return std::unexpected(head.error());
  if (head->bytes == 0) return Decoded<Reply>{};
  const PacketHeader& header = head->packet;
  if (header.kind > static_cast<std::uint8_t>(ReplyStatus::refused) || header.more > 1 ||
      header.key_bytes != 0 || header.value_bytes > kMostBodyBytes) {
    return fail(ErrorCode::input, "a reply with a header that no member writes");
  }
  const std::size_t all = sizeof header + header.value_bytes;
  if (text.size() < all) return Decoded<Reply>{};
  return Decoded<Reply>{.bytes = all,
                        .packet = {.status = static_cast<ReplyStatus>(header.kind),
                                   .more = header.more == 1,
                                   .body = text.substr(sizeof header, header.value_bytes)}};
}

std::string encode(const Reply& reply) {
  require(reply.body.size() <= kMostBodyBytes);
  return encode(PacketHeader{.magic = kReplyMagic,
                             .kind = static_cast<std::uint8_t>(reply.status),
                             .more = static_cast<std::uint8_t>(reply.more ? 1 : 0),
                             .key_bytes = 0,
                             .value_bytes = static_cast<std::uint32_t>(reply.body.size())},
                {}, reply.body);
}

std::string refusal(std::string_view why) {
  return encode(Reply{.status = ReplyStatus::refused, .body = why});
}

}  // namespace lockstep::node
