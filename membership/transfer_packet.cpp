#include "membership/transfer_packet.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "runtime/assert.hpp"

namespace lockstep::membership {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::uint16_t kLast = 1;
constexpr std::uint16_t kAgain = 2;

std::uint64_t checksum_of(const TransferHeader& header, std::span<const std::byte> body) noexcept {
  const std::uint64_t head = XXH3_64bits(&header, offsetof(TransferHeader, checksum));
  return XXH3_64bits_withSeed(body.data(), body.size(), head);
}

/// What a packet of this kind can say, by its header alone.
bool sound(const TransferHeader& header) noexcept {
  if (header.magic != kTransferMagic) return false;
  if (header.reserved != 0) return false;
  switch (TransferKind{header.kind}) {
    case TransferKind::chunk:
      if (header.flags > kLast || header.body_bytes > kMostChunkBytes) return false;
      return header.body_bytes > 0 || header.flags == kLast;
    case TransferKind::wanted:
      return (header.flags == 0 || header.flags == kAgain) && header.body_bytes == 0;
    case TransferKind::say_again:
      return header.flags == 0 && header.number == 0 && header.body_bytes == 0;
    case TransferKind::failed:
      return header.flags == 0 && header.number == 0 && header.body_bytes <= kMostReasonBytes;
  }
  return false;
}

}  // namespace

std::span<const std::byte> encode(const TransferPacket& packet,
                                  std::span<std::byte> place) noexcept {
  TransferHeader header{
      .kind = std::to_underlying(packet.kind),
      .flags = static_cast<std::uint16_t>((packet.last ? kLast : 0) | (packet.again ? kAgain : 0)),
      .cut = packet.id.cut,
      .joiner = packet.id.joiner,
      .number = packet.number,
      .body_bytes = static_cast<std::uint32_t>(packet.body.size())};
  LOCKSTEP_ASSERT(sound(header));
  LOCKSTEP_ASSERT(place.size() >= sizeof header + packet.body.size());
  header.checksum = checksum_of(header, packet.body);
  std::byte* body = place.data() + sizeof header;
  if (!packet.body.empty() && packet.body.data() != body) {
    std::memcpy(body, packet.body.data(), packet.body.size());
  }
  std::memcpy(place.data(), &header, sizeof header);
  return place.first(sizeof header + packet.body.size());
}

std::optional<TransferPacket> decode(std::span<const std::byte> bytes) noexcept {
  TransferHeader header;
  if (bytes.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof header);
  const auto body = bytes.subspan(sizeof header);
  if (!sound(header)) return std::nullopt;
  if (header.body_bytes != body.size()) return std::nullopt;
  if (header.checksum != checksum_of(header, body)) return std::nullopt;
  return TransferPacket{.kind = TransferKind{header.kind},
                        .id = {.cut = header.cut, .joiner = header.joiner},
                        .number = header.number,
                        .last = (header.flags & kLast) != 0,
                        .again = (header.flags & kAgain) != 0,
                        .body = body};
}

std::span<const std::byte> body_of(std::string_view reason) noexcept {
  return std::as_bytes(std::span(reason.substr(0, kMostReasonBytes)));
}

std::string reason_in(const TransferPacket& packet) {
  std::string reason(reinterpret_cast<const char*>(packet.body.data()), packet.body.size());
  std::ranges::replace_if(reason, [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; }, '?');
  return reason;
}

}  // namespace lockstep::membership
