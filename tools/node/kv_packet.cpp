#include "tools/node/kv_packet.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>

namespace lockstep::node {
namespace {

constexpr PacketMagic kRequestMagic = {'L', 'K', 'V', '1'};

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

Expected<void> check(const PacketHeader& header) {
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

}  // namespace

Expected<Decoded<Request>> decode_request(std::span<const std::byte> bytes) {
  const std::string_view text = as_text(bytes);
  const auto head = decode_header(text, kRequestMagic, "the key-value store");
  if (!head) return std::unexpected(head.error());
  if (head->bytes == 0) return Decoded<Request>{};
  const PacketHeader& header = head->packet;
  if (auto fine = check(header); !fine) return std::unexpected(fine.error());
  const std::size_t all = sizeof header + header.key_bytes + header.value_bytes;
  if (text.size() < all) return Decoded<Request>{};
  return Decoded<Request>{
      .bytes = all,
      .packet = {.kind = static_cast<RequestKind>(header.kind),
                 .key = text.substr(sizeof header, header.key_bytes),
                 .value = text.substr(sizeof header + header.key_bytes, header.value_bytes)}};
}

std::string encode(const Request& request) {
  const PacketHeader header{.magic = kRequestMagic,
                            .kind = static_cast<std::uint8_t>(request.kind),
                            .more = 0,
                            .key_bytes = static_cast<std::uint16_t>(request.key.size()),
                            .value_bytes = static_cast<std::uint32_t>(request.value.size())};
  require(request.key.size() <= kMostKeyBytes && request.value.size() <= kMostValueBytes);
  require(check(header).has_value());
  return encode(header, request.key, request.value);
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
