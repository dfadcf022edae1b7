#pragma once

#include <sodium.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "transports/hello/link_keys.hpp"

namespace lockstep::transports {

/// One direction of a link: seals or opens what goes over it, with one key after the other.
///
/// Authenticated encryption with a number that no key is ever used twice with: whoever seals
/// counts. The keys are a chain (BLAKE2b, libsodium's crypto_kdf): from a key follows the next, and
/// never the one before, so who gets hold of a key cannot read what was sent under those before it.
/// After TLS 1.3 (RFC 8446, section 7.2).
///
/// One thread. Does not allocate. Wipes its keys when it ends.
class LinkCipher {
 public:
  static constexpr std::size_t kTagBytes = 16;

  LinkCipher(CipherKind kind, const Secret& first);
  ~LinkCipher();
  LinkCipher(const LinkCipher&) = delete;
  LinkCipher& operator=(const LinkCipher&) = delete;

  /// Whether this processor can do CipherKind::aes256_gcm.
  static bool has_aes() noexcept;

  /// What is never the same twice under one key: a kind of thing, and a count of that kind.
  struct Number {
    std::uint32_t kind = 0;
    std::uint64_t count = 0;
  };

  /// Encrypts `plain` to `sealed`, which has as many bytes and does not overlap it (or is the same
  /// place), and writes the tag over that and over `clear`, which stays readable.
  void seal(Number number, std::span<const std::byte> clear, std::span<const std::byte> plain,
            std::byte* sealed, std::byte* tag) const noexcept;
  /// The other way round. False: it is not what the holder of the key sealed under this number;
  /// `plain` holds nothing of it then.
  [[nodiscard]] bool open(Number number, std::span<const std::byte> clear,
                          std::span<const std::byte> sealed, const std::byte* tag,
                          std::byte* plain) const noexcept;

  /// Goes on to the key that follows.
  void advance() noexcept { follow(*this); }
  /// Takes the key that follows that of `other`, of the same kind.
  void follow(const LinkCipher& other) noexcept;

 private:
  void expand() noexcept;

  const CipherKind kind_;
  Secret chain_;  ///< of which the key and the next chain come
  Secret key_;
  crypto_aead_aes256gcm_state aes_{};
};

}  // namespace lockstep::transports
