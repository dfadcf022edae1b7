#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "lockstep/error.hpp"

namespace lockstep::node {

/// What every application of a node shares of its language: packets, and what clients are told. One
/// packet is a header of 12 bytes and what it announces; little-endian.

using PacketMagic = std::array<char, 4>;

/// As it stands on the wire.
struct PacketHeader {
  PacketMagic magic;
  std::uint8_t kind;        ///< of a request: the application's; of a reply: a ReplyStatus
  std::uint8_t more;        ///< replies: 0 or 1; requests: 0
  std::uint16_t key_bytes;  ///< replies: 0
  std::uint32_t value_bytes;
};
inline constexpr std::size_t kPacketHeaderBytes = 12;
static_assert(sizeof(PacketHeader) == kPacketHeaderBytes);
static_assert(offsetof(PacketHeader, key_bytes) == 6);
static_assert(offsetof(PacketHeader, value_bytes) == 8);

/// Of any application, to or from a member.
inline constexpr std::size_t kMostPacketBytes = (std::size_t{1} << 20) + 1'024;

/// What the beginning of a stream of bytes holds: `bytes` of them are one packet, 0: it is not
/// whole yet.
template <class Packet>
struct Decoded {
  std::size_t bytes = 0;
  Packet packet;
};

/// The header at the front (`bytes` = 12), once it is whole. Wrong first bytes are refused at once:
/// who speaks another language need not send twelve to be told. `whose` is for that message.
/// Errors: input, in words for the peer.
Expected<Decoded<PacketHeader>> decode_header(std::string_view text, const PacketMagic& magic,
                                              std::string_view whose);
/// A whole packet. Asserts that the header says how long key and value are.
[[nodiscard]] std::string encode(const PacketHeader& header, std::string_view key,
                                 std::string_view value);

enum class ReplyStatus : std::uint8_t {
  done = 0,
  absent = 1,   ///< there is no such key
  refused = 2,  ///< the body says why, in words
};

/// A view into the bytes it was decoded from.
struct Reply {
  ReplyStatus status = ReplyStatus::done;
  bool more = false;  ///< of a list: entries follow behind the last of these
  /// Done: what the application says.
  std::string_view body{};
};

/// Any bytes; refuses as soon as they cannot become a reply. Errors: input.
Expected<Decoded<Reply>> decode_reply(std::span<const std::byte> bytes);
/// Asserts that the body fits a packet.
[[nodiscard]] std::string encode(const Reply& reply);
/// The packet that says no, and why.
[[nodiscard]] std::string refusal(std::string_view why);

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}
inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace lockstep::node
