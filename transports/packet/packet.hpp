#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace lockstep::transports::packet {

/// The most packets that may be on their way on a link, in each direction. A power of two.
inline constexpr std::uint32_t kMostOutstanding = 256;
/// Bitmaps of 64 packets each that tell what was received ahead of a gap.
inline constexpr std::size_t kMostAheadWords = kMostOutstanding / 64;
using AheadWords = std::array<std::uint64_t, kMostAheadWords>;

inline constexpr std::uint32_t kMagic = 0x32504b4c;  // "LKP2"

enum class Kind : std::uint8_t {
  data = 1,             ///< has a place in the sequence, and a body
  acknowledgement = 2,  ///< has neither
};

/// Begins every packet; the body follows, then `ahead_words` words. Little-endian.
///
/// Every packet tells how far its sender has received: acknowledgements ride along with data.
struct Head {
  std::array<std::uint64_t, 2> seal{};  ///< over all that follows: LinkSecret, or PacketSealer
  std::uint32_t magic = kMagic;
  std::uint16_t sender = 0;  ///< its rank: the receiver's number of the link
  Kind kind = Kind::data;
  std::uint8_t ahead_words = 0;
  /// Counts the transmissions of its kind on this link, from 1: a packet that is sent again has a
  /// new one. So a round trip and a loss are never in doubt (RFC 9002, section 3).
  std::uint64_t transmission = 0;
  std::uint64_t sequence = 0;  ///< of data: its place in the stream of packets, from 0
  std::uint64_t received = 0;  ///< the sender has all packets before this one
  std::uint64_t newest = 0;    ///< the newest transmission of data that it has seen; 0: none
  std::uint32_t body_bytes = 0;
  std::uint32_t key =
      0;  ///< the number of the key that it is sealed with, from 0, see PacketSealer
};
static_assert(std::endian::native == std::endian::little);
static_assert(sizeof(Head) == 64);
static_assert(offsetof(Head, magic) == 16);
static_assert(offsetof(Head, transmission) == 24);
static_assert(offsetof(Head, newest) == 48);

/// What a packet takes at most beside its body.
inline constexpr std::size_t kMostOverheadBytes = sizeof(Head) + sizeof(AheadWords);
/// The least that a packet may take in all: a medium that carries less is of no use.
inline constexpr std::size_t kLeastPacketBytes = 512;
/// The most: an IP packet holds no more beside its own head.
inline constexpr std::size_t kMostPacketBytes = 65'408;

/// Of one direction of one link, drawn at random by who sends, when the link is made. A packet of
/// another link, of the same link before it was made anew, or one that was damaged on its way does
/// not fit. It is a checksum (XXH3, 128 bits), no defence against who can read packets: where there
/// are keys, PacketSealer takes its place.
struct LinkSecret {
  std::uint64_t seed = 0;

  bool operator==(const LinkSecret&) const = default;
};

/// Writes the seal into a packet that is otherwise complete.
void seal(std::span<std::byte> packet, const LinkSecret& secret) noexcept;

/// A packet that is what its sender made, and in itself possible. `body` points into it.
struct Parsed {
  Head head;
  std::span<const std::byte> body;
  AheadWords ahead{};
};
/// The head, if a packet of this length can have it; the seal was not looked at.
std::optional<Head> possible_head(std::span<const std::byte> packet) noexcept;
/// The parts of what follows a possible head.
Parsed parsed(const Head& head, std::span<const std::byte> rest) noexcept;
/// Anything may arrive; nothing if it is none of this link's.
std::optional<Parsed> parse(std::span<const std::byte> packet, const LinkSecret& secret) noexcept;

/// Whose it says it is, for finding the link; nothing if it is too short for a packet.
std::optional<std::uint16_t> sender_of(std::span<const std::byte> packet) noexcept;

}  // namespace lockstep::transports::packet
