#include "tools/node/kv_packet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>

namespace lockstep::node {
namespace {

static_assert(std::endian::native == std::endian::little, "packets are copied as they stand");

using Magic = std::array<char, 4>;
constexpr Magic kRequestMagic = {'L', 'K', 'V', '1'};
/// A list of one entry is the largest.
constexpr std::size_t kMostReplyBytes = kEntryHeaderBytes + kMostKeyBytes + kMostValueBytes;
constexpr Magic kReplyMagic = {'L', 'K', 'A', '1'};

/// Of both kinds of packet, as it stands on the wire.
struct Header {
  Magic magic;
  std::uint8_t kind;        ///< RequestKind or ReplyStatus
  std::uint8_t more;        ///< replies: 0 or 1; requests: 0
  std::uint16_t key_bytes;  ///< replies: 0
  std::uint32_t value_bytes;
};
static_assert(sizeof(Header) == kPacketHeaderBytes);
static_assert(offsetof(Header, key_bytes) == 6);
static_assert(offsetof(Header, value_bytes) == 8);

/// Of a list's entry, without padding: what stands in front of key and value.
struct EntryHeader {
  std::uint16_t key_bytes;
  std::uint16_t value_bytes_low;
  std::uint16_t value_bytes_high;
};
static_assert(sizeof(EntryHeader) == kEntryHeaderBytes);

std::unexpected<Error> malformed(std::string message) {
  return fail(ErrorCode::input, std::move(message));
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The header at the front, once it is whole; nothing before. Wrong first bytes are refused at
/// once: who speaks another protocol need not send twelve to be told.
Expected<const char*> examine(std::string_view text, const Magic& magic, Header& header) {
  const std::size_t seen = std::min(text.size(), magic.size());
  if (!std::equal(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(seen), magic.begin())) {
    return malformed("not a packet of the key-value store: it does not begin with " +
                     std::string(magic.data(), magic.size()));
  }
  if (text.size() < sizeof header) return nullptr;
  std::memcpy(&header, text.data(), sizeof header);
  return text.data() + sizeof header;
}

Expected<void> check(const Header& header) {
  const auto kind = static_cast<RequestKind>(header.kind);
  if (header.kind < static_cast<std::uint8_t>(RequestKind::put) ||
      header.kind > static_cast<std::uint8_t>(RequestKind::list) || header.more != 0) {
    return malformed(
        fmt::format("request of unknown kind {}; known: 1 put, 2 get, 3 ordered get, "
                    "4 list",
                    header.kind));
  }
  if (header.key_bytes > kMostKeyBytes) {
    return malformed(
        fmt::format("a key of {} bytes; at most {} are taken", header.key_bytes, kMostKeyBytes));
  }
  if (header.key_bytes == 0 && kind != RequestKind::list) {
    return malformed(fmt::format("an empty key; 1 to {} bytes are taken", kMostKeyBytes));
  }
  const std::size_t most = kind == RequestKind::put ? kMostValueBytes : 0;
  if (header.value_bytes > most) {
    return malformed(
        fmt::format("a value of {} bytes; at most {} are taken", header.value_bytes, most));
  }
  return {};
}

void require(bool condition) {
  if (!condition) std::abort();
}

std::string packet(const Header& header, std::string_view key, std::string_view value) {
  std::string text(sizeof header, '\0');
  text.reserve(sizeof header + key.size() + value.size());
  std::memcpy(text.data(), &header, sizeof header);
  text += key;
  text += value;
  return text;
}

}  // namespace

Expected<Decoded<Request>> decode_request(std::span<const std::byte> bytes) {
  const std::string_view text = as_text(bytes);
  Header header;
  const auto body = examine(text, kRequestMagic, header);
  if (!body) return std::unexpected(body.error());
  if (*body == nullptr) return Decoded<Request>{};
  if (auto fine = check(header); !fine) return std::unexpected(fine.error());
  const std::size_t all = sizeof header + header.key_bytes + header.value_bytes;
  if (text.size() < all) return Decoded<Request>{};
  return Decoded<Request>{.bytes = all,
                          .packet = {.kind = static_cast<RequestKind>(header.kind),
                                     .key = {*body, header.key_bytes},
                                     .value = {*body + header.key_bytes, header.value_bytes}}};
}

Expected<Decoded<Reply>> decode_reply(std::span<const std::byte> bytes) {
  const std::string_view text = as_text(bytes);
  Header header;
  const auto body = examine(text, kReplyMagic, header);
  if (!body) return std::unexpected(body.error());
  if (*body == nullptr) return Decoded<Reply>{};
  if (header.kind > static_cast<std::uint8_t>(ReplyStatus::refused) || header.more > 1 ||
      header.key_bytes != 0 || header.value_bytes > kMostReplyBytes) {
    return malformed("a reply with a header that no member writes");
  }
  const std::size_t all = sizeof header + header.value_bytes;
  if (text.size() < all) return Decoded<Reply>{};
  return Decoded<Reply>{.bytes = all,
                        .packet = {.status = static_cast<ReplyStatus>(header.kind),
                                   .more = header.more == 1,
                                   .body = {*body, header.value_bytes}}};
}

std::string encode(const Request& request) {
  const Header header{.magic = kRequestMagic,
                      .kind = static_cast<std::uint8_t>(request.kind),
                      .more = 0,
                      .key_bytes = static_cast<std::uint16_t>(request.key.size()),
                      .value_bytes = static_cast<std::uint32_t>(request.value.size())};
  require(request.key.size() <= kMostKeyBytes && request.value.size() <= kMostValueBytes);
  require(check(header).has_value());
  return packet(header, request.key, request.value);
}

std::string encode(const Reply& reply) {
  require(reply.body.size() <= kMostReplyBytes);
  const Header header{.magic = kReplyMagic,
                      .kind = static_cast<std::uint8_t>(reply.status),
                      .more = static_cast<std::uint8_t>(reply.more ? 1 : 0),
                      .key_bytes = 0,
                      .value_bytes = static_cast<std::uint32_t>(reply.body.size())};
  return packet(header, {}, reply.body);
}

void append_entry(std::string& list, const Entry& entry) {
  require(entry.key.size() <= kMostKeyBytes && entry.value.size() <= kMostValueBytes);
  const EntryHeader header{
      .key_bytes = static_cast<std::uint16_t>(entry.key.size()),
      .value_bytes_low = static_cast<std::uint16_t>(entry.value.size()),
      .value_bytes_high = static_cast<std::uint16_t>(entry.value.size() >> 16)};
  list.append(reinterpret_cast<const char*>(&header), sizeof header);
  list += entry.key;
  list += entry.value;
}

Expected<Decoded<Entry>> decode_entry(std::string_view bytes) {
  EntryHeader header;
  if (bytes.size() < sizeof header) return Decoded<Entry>{};
  std::memcpy(&header, bytes.data(), sizeof header);
  const std::size_t value_bytes = header.value_bytes_low | std::size_t{header.value_bytes_high}
                                                               << 16U;
  if (header.key_bytes == 0 || header.key_bytes > kMostKeyBytes || value_bytes > kMostValueBytes) {
    return malformed(fmt::format("an entry with a key of {} and a value of {} bytes",
                                 header.key_bytes, value_bytes));
  }
  const std::size_t all = sizeof header + header.key_bytes + value_bytes;
  if (bytes.size() < all) return Decoded<Entry>{};
  return Decoded<Entry>{
      .bytes = all,
      .packet = {.key = bytes.substr(sizeof header, header.key_bytes),
                 .value = bytes.substr(sizeof header + header.key_bytes, value_bytes)}};
}

Expected<std::vector<Entry>> decode_entries(std::string_view list) {
  std::vector<Entry> entries;
  while (!list.empty()) {
    const auto next = decode_entry(list);
    if (!next) return std::unexpected(next.error());
    if (next->bytes == 0) return malformed("a list that ends inside an entry");
    entries.push_back(next->packet);
    list.remove_prefix(next->bytes);
  }
  return entries;
}

}  // namespace lockstep::node
