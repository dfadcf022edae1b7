#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/error.hpp"
#include "tools/node/packet.hpp"

namespace lockstep::node {

/// What clients of the key-value store say, and what they are told. A put and an ordered get go
/// into the group as the same bytes, so there is one decoder for clients and members. The body of a
/// reply: to a put the sequence (8 bytes), to a get the value, to a list entries.

inline constexpr std::size_t kMostKeyBytes = 256;
/// Above what any ring takes at its default size; a member's own limit is mostly lower.
inline constexpr std::size_t kMostValueBytes = std::size_t{1} << 20;

enum class RequestKind : std::uint8_t {
  put = 1,          ///< key, value: answered when this member has applied it
  get = 2,          ///< key: the value that this member has now
  ordered_get = 3,  ///< key: the value at a place in the order after the request
  list = 4,         ///< key: entries behind it, in the order of their bytes; empty: from the first
};

/// Views into the bytes it was decoded from.
struct Request {
  RequestKind kind = RequestKind::get;
  std::string_view key{};
  std::string_view value{};
};

/// Any bytes; refuses as soon as they cannot become a packet. Errors: input, in words for the peer.
Expected<Decoded<Request>> decode_request(std::span<const std::byte> bytes);

/// Asserts that the limits hold.
[[nodiscard]] std::string encode(const Request& request);

/// One key of a list.
struct Entry {
  std::string_view key{};
  std::string_view value{};
};
void append_entry(std::string& list, const Entry& entry);
/// Errors: input.
Expected<std::vector<Entry>> decode_entries(std::string_view list);

/// How much of an entry is not its key and value, in lists and in snapshots.
inline constexpr std::size_t kEntryHeaderBytes = 6;
// A list of one entry is the largest packet.
static_assert(kPacketHeaderBytes + kEntryHeaderBytes + kMostKeyBytes + kMostValueBytes <=
              kMostPacketBytes);

/// The first entry of `bytes`; `bytes` = 0 while it is not whole. Errors: input.
Expected<Decoded<Entry>> decode_entry(std::string_view bytes);

}  // namespace lockstep::node
