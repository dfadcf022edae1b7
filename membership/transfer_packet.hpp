#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "transports/state_channel.hpp"

namespace lockstep::membership {

/// Which snapshot a packet belongs to.
struct TransferId {
  std::uint64_t cut = 0;     ///< the view at whose beginning the state is given
  std::uint64_t joiner = 0;  ///< the joiner's nonce: another incarnation is another joiner
  bool operator==(const TransferId&) const = default;
};

enum class TransferKind : std::uint16_t {
  chunk = 1,  ///< donor: the next bytes of the snapshot; `number` counts chunks from 0
  wanted,     ///< joiner: has loaded all chunks before `number`
  say_again,  ///< donor: what the joiner said came damaged
  failed,     ///< either: this transfer comes to nothing; the body says why
};

inline constexpr std::uint32_t kTransferMagic = 0x54534b4c;  // "LKST"
inline constexpr std::size_t kMostChunkBytes = 60 * 1024;
inline constexpr std::size_t kMostReasonBytes = 512;

/// What stands before the body of a packet. Little-endian, like every machine Lockstep runs on.
struct TransferHeader {
  std::uint32_t magic = kTransferMagic;
  std::uint16_t kind = 0;
  std::uint16_t flags = 0;
  std::uint64_t cut = 0;
  std::uint64_t joiner = 0;
  std::uint64_t number = 0;
  std::uint32_t body_bytes = 0;
  std::uint32_t reserved = 0;  ///< 0
  std::uint64_t checksum = 0;  ///< XXH3 (Collet) of all before it and of the body
};
static_assert(sizeof(TransferHeader) == 48);
static_assert(sizeof(TransferHeader) + kMostChunkBytes <=
              transports::StateChannel::kMostPacketBytes);
static_assert(kMostReasonBytes <= kMostChunkBytes);

/// A packet, taken apart. `body` points into it.
struct TransferPacket {
  TransferKind kind = TransferKind::chunk;
  TransferId id;
  std::uint64_t number = 0;  ///< of a chunk or a wanted
  bool last = false;         ///< of a chunk: with it the snapshot is whole
  bool again = false;        ///< of a wanted: send from `number` on, whatever was sent before
  std::span<const std::byte> body{};
};

/// Writes the packet into `place`, which has room for a header and the body. A body that stands
/// there already, behind the header, is not copied. Returns the packet.
std::span<const std::byte> encode(const TransferPacket& packet,
                                  std::span<std::byte> place) noexcept;

/// Anything may arrive; nothing if it is no packet that encode made, whole and undamaged.
std::optional<TransferPacket> decode(std::span<const std::byte> bytes) noexcept;

/// As much of `reason` as a packet takes.
std::span<const std::byte> body_of(std::string_view reason) noexcept;

/// The reason in a `failed`, without what could confuse a terminal or a log.
std::string reason_in(const TransferPacket& packet);

}  // namespace lockstep::membership
