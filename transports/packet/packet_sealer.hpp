#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "transports/packet/packet.hpp"
#include "transports/sealing/link_cipher.hpp"

namespace lockstep::transports::packet {

/// The kind of number that packets of a kind have, see LinkCipher::Number.
constexpr std::uint32_t number_kind(Kind kind) noexcept {
  return 0x706b'0000U | static_cast<std::uint32_t>(kind);
}

/// Encrypts what one end of a link sends. The head stays readable; the tag is its seal. A packet's
/// number is its kind and transmission, which no two packets of a link share (Head::transmission).
///
/// Keys follow one another. A new one waits until the peer has shown that it has the last, so that
/// each end is at most one key behind the other, whatever is lost.
class PacketSealer {
 public:
  PacketSealer(const LinkKeys& keys, std::uint32_t places, std::size_t packet_bytes);

  /// Writes the seal into the head of `image`, and gives the packet to send: that, and the rest of
  /// it encrypted, in memory of its own for each `place`.
  [[nodiscard]] std::span<const std::byte> seal(std::span<std::byte> image,
                                                std::uint64_t place) noexcept;

  /// A new key is due.
  void renew() noexcept { due_ = true; }
  /// Goes on to it, if one is due and may be used: `seen` is the newest transmission of data that
  /// the peer has shown to have, `last` the last one that was sent.
  void renew_if_due(std::uint64_t seen, std::uint64_t last) noexcept;
  [[nodiscard]] std::uint32_t key() const noexcept { return key_; }

 private:
  LinkCipher cipher_;
  const std::uint32_t places_;
  const std::size_t packet_bytes_;
  std::unique_ptr<std::byte[]> memory_;
  std::uint32_t key_ = 0;           ///< its number
  std::uint64_t sealed_ = 0;        ///< with it
  std::uint64_t first_of_key_ = 0;  ///< transmission of data
  bool due_ = false;
};

/// Opens what the peer sealed, under its key or the next.
class PacketOpener {
 public:
  PacketOpener(const LinkKeys& keys, std::size_t packet_bytes);

  /// Anything may arrive; nothing if it is none of this link's. What was parsed points into memory
  /// of the opener, until the next call.
  [[nodiscard]] std::optional<Parsed> open(std::span<const std::byte> packet) noexcept;
  [[nodiscard]] std::uint32_t key() const noexcept { return key_; }

 private:
  LinkCipher current_;
  LinkCipher next_;  ///< made before it is needed: a forged packet costs no more than another
  std::unique_ptr<std::byte[]> plain_;
  const std::size_t packet_bytes_;
  std::uint32_t key_ = 0;
};

}  // namespace lockstep::transports::packet
