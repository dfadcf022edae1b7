#include "transports/packet/packet.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>

#include "runtime/assert.hpp"
#include "transports/packet/mutant.hpp"

namespace lockstep::transports::packet {
namespace {

std::array<std::uint64_t, 2> seal_of(std::span<const std::byte> packet,
                                     const LinkSecret& secret) noexcept {
  const auto sealed = packet.subspan(sizeof(Head::seal));
  const XXH128_hash_t hash = XXH3_128bits_withSeed(sealed.data(), sealed.size(), secret.seed);
  return {hash.low64, hash.high64};
}

}  // namespace

void seal(std::span<std::byte> packet, const LinkSecret& secret) noexcept {
  LOCKSTEP_ASSERT(packet.size() >= sizeof(Head));
  const auto made = seal_of(packet, secret);
  std::memcpy(packet.data(), made.data(), sizeof made);
}

std::optional<Head> possible_head(std::span<const std::byte> packet) noexcept {
  if (packet.size() < sizeof(Head)) return std::nullopt;
  Head head;
  std::memcpy(&head, packet.data(), sizeof head);
  const bool of_a_kind = head.kind == Kind::data || head.kind == Kind::acknowledgement;
  if (head.magic != kMagic || !of_a_kind || head.ahead_words > kMostAheadWords) return std::nullopt;
  const std::size_t ahead_bytes = head.ahead_words * sizeof(std::uint64_t);
  if (packet.size() != sizeof(Head) + head.body_bytes + ahead_bytes) return std::nullopt;
  if ((head.kind == Kind::data) != (head.body_bytes > 0)) return std::nullopt;
  if (head.transmission == 0) return std::nullopt;
  return head;
}

Parsed parsed(const Head& head, std::span<const std::byte> rest) noexcept {
  Parsed parts{.head = head, .body = rest.first(head.body_bytes), .ahead = {}};
  std::memcpy(parts.ahead.data(), rest.data() + head.body_bytes,
              head.ahead_words * sizeof(std::uint64_t));
  return parts;
}

std::optional<Parsed> parse(std::span<const std::byte> packet, const LinkSecret& secret) noexcept {
  const auto head = possible_head(packet);
  if (!head) return std::nullopt;
  const bool fits = seal_of(packet, secret) == head->seal;
  if (!fits && !mutant(Mutant::accept_any_seal)) return std::nullopt;
  return parsed(*head, packet.subspan(sizeof(Head)));
}

std::optional<std::uint16_t> sender_of(std::span<const std::byte> packet) noexcept {
  if (packet.size() < sizeof(Head)) return std::nullopt;
  std::uint16_t sender = 0;
  std::memcpy(&sender, packet.data() + offsetof(Head, sender), sizeof sender);
  return sender;
}

}  // namespace lockstep::transports::packet
