#include "transports/packet/packet_sealer.hpp"

#include <cstring>

#include "runtime/assert.hpp"
#include "transports/packet/mutant.hpp"

namespace lockstep::transports::packet {
namespace {

/// AES-GCM is not to be used for more packets under one key (RFC 9001, section 6.6: 2^23).
constexpr std::uint64_t kPacketsPerKey = std::uint64_t{1} << 23;

/// What is readable and yet cannot be altered: the head without the seal.
std::span<const std::byte> clear_of(std::span<const std::byte> packet) noexcept {
  return packet.first(sizeof(Head)).subspan(sizeof(Head::seal));
}

LinkCipher::Number number_of(const Head& head) noexcept {
  if (mutant(Mutant::reuse_a_number)) return {number_kind(head.kind), head.sequence};
  return {number_kind(head.kind), head.transmission};
}

}  // namespace

PacketSealer::PacketSealer(const LinkKeys& keys, std::uint32_t places, std::size_t packet_bytes)
    : cipher_(keys.cipher, keys.sending),
      places_(places),
      packet_bytes_(packet_bytes),
      memory_(std::make_unique<std::byte[]>(places * packet_bytes)) {}

std::span<const std::byte> PacketSealer::seal(std::span<std::byte> image,
                                              std::uint64_t place) noexcept {
  LOCKSTEP_ASSERT(image.size() >= sizeof(Head) && image.size() <= packet_bytes_);
  Head head;
  std::memcpy(&head, image.data(), sizeof head);
  head.key = key_;
  std::byte* const packet = memory_.get() + place % places_ * packet_bytes_;
  std::memcpy(packet, &head, sizeof head);
  const auto plain = image.subspan(sizeof head);
  cipher_.seal(number_of(head), clear_of({packet, image.size()}), plain, packet + sizeof head,
               packet);
  if (mutant(Mutant::leave_it_readable)) {
    std::memcpy(packet + sizeof head, plain.data(), plain.size());
  }
  if (++sealed_ >= kPacketsPerKey) due_ = true;
  return {packet, image.size()};
}

void PacketSealer::renew_if_due(std::uint64_t seen, std::uint64_t last) noexcept {
  if (!due_ || mutant(Mutant::never_renew)) return;
  if (seen < first_of_key_ && !mutant(Mutant::renew_unseen)) return;
  cipher_.advance();
  ++key_;
  sealed_ = 0;
  first_of_key_ = last + 1;
  due_ = false;
}

PacketOpener::PacketOpener(const LinkKeys& keys, std::size_t packet_bytes)
    : current_(keys.cipher, keys.receiving),
      next_(keys.cipher, keys.receiving),
      plain_(std::make_unique<std::byte[]>(packet_bytes)),
      packet_bytes_(packet_bytes) {
  next_.advance();
}

std::optional<Parsed> PacketOpener::open(std::span<const std::byte> packet) noexcept {
  if (packet.size() > packet_bytes_) return std::nullopt;
  const auto head = possible_head(packet);
  if (!head) return std::nullopt;
  const std::uint32_t ahead = head->key - key_;
  if (ahead > 1) return std::nullopt;
  const LinkCipher& cipher = ahead == 0 ? current_ : next_;
  const auto sealed = packet.subspan(sizeof(Head));
  const bool fits =
      cipher.open(number_of(*head), clear_of(packet), sealed, packet.data(), plain_.get());
  if (mutant(Mutant::leave_it_readable)) {
    std::memcpy(plain_.get(), sealed.data(), sealed.size());
  } else if (!fits && !mutant(Mutant::accept_any_seal)) {
    return std::nullopt;
  }
  if (ahead == 1) {
    current_.advance();
    next_.advance();
    ++key_;
  }
  return parsed(*head, {plain_.get(), sealed.size()});
}

}  // namespace lockstep::transports::packet
