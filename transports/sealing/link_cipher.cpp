#include "transports/sealing/link_cipher.hpp"

#include <array>
#include <cstring>

namespace lockstep::transports {
namespace {

constexpr std::size_t kNonceBytes = 12;
static_assert(kNonceBytes == crypto_aead_aes256gcm_NPUBBYTES);
static_assert(kNonceBytes == crypto_aead_chacha20poly1305_ietf_NPUBBYTES);
static_assert(LinkCipher::kTagBytes == crypto_aead_aes256gcm_ABYTES);
static_assert(LinkCipher::kTagBytes == crypto_aead_chacha20poly1305_ietf_ABYTES);
static_assert(Secret::size() == crypto_aead_aes256gcm_KEYBYTES);
static_assert(Secret::size() == crypto_aead_chacha20poly1305_ietf_KEYBYTES);
static_assert(Secret::size() == crypto_kdf_KEYBYTES);

constexpr char kContext[crypto_kdf_CONTEXTBYTES + 1] = "lockline";
constexpr std::uint64_t kToKey = 1;
constexpr std::uint64_t kToChain = 2;

using Nonce = std::array<unsigned char, kNonceBytes>;

Nonce nonce_of(LinkCipher::Number number) noexcept {
  Nonce nonce;
  std::memcpy(nonce.data(), &number.kind, sizeof number.kind);
  std::memcpy(nonce.data() + sizeof number.kind, &number.count, sizeof number.count);
  return nonce;
}

unsigned char* raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }
const unsigned char* raw(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}

}  // namespace

LinkCipher::LinkCipher(CipherKind kind, const Secret& first) : kind_(kind) {
  std::memcpy(chain_.data(), first.data(), Secret::size());
  expand();
}

LinkCipher::~LinkCipher() { sodium_memzero(&aes_, sizeof aes_); }

bool LinkCipher::has_aes() noexcept {
  return sodium_init() >= 0 && crypto_aead_aes256gcm_is_available() == 1;
}

void LinkCipher::expand() noexcept {
  crypto_kdf_derive_from_key(key_.data(), Secret::size(), kToKey, kContext, chain_.data());
  if (kind_ == CipherKind::aes256_gcm) crypto_aead_aes256gcm_beforenm(&aes_, key_.data());
}

void LinkCipher::follow(const LinkCipher& other) noexcept {
  Secret next;
  crypto_kdf_derive_from_key(next.data(), Secret::size(), kToChain, kContext, other.chain_.data());
  std::memcpy(chain_.data(), next.data(), Secret::size());
  expand();
}

void LinkCipher::seal(Number number, std::span<const std::byte> clear,
                      std::span<const std::byte> plain, std::byte* sealed,
                      std::byte* tag) const noexcept {
  const Nonce nonce = nonce_of(number);
  if (kind_ == CipherKind::aes256_gcm) {
    crypto_aead_aes256gcm_encrypt_detached_afternm(
        raw(sealed), raw(tag), nullptr, raw(plain.data()), plain.size(), raw(clear.data()),
        clear.size(), nullptr, nonce.data(), &aes_);
    return;
  }
  crypto_aead_chacha20poly1305_ietf_encrypt_detached(
      raw(sealed), raw(tag), nullptr, raw(plain.data()), plain.size(), raw(clear.data()),
      clear.size(), nullptr, nonce.data(), key_.data());
}

bool LinkCipher::open(Number number, std::span<const std::byte> clear,
                      std::span<const std::byte> sealed, const std::byte* tag,
                      std::byte* plain) const noexcept {
  const Nonce nonce = nonce_of(number);
  if (kind_ == CipherKind::aes256_gcm) {
    return crypto_aead_aes256gcm_decrypt_detached_afternm(
               raw(plain), nullptr, raw(sealed.data()), sealed.size(), raw(tag), raw(clear.data()),
               clear.size(), nonce.data(), &aes_) == 0;
  }
  return crypto_aead_chacha20poly1305_ietf_decrypt_detached(
             raw(plain), nullptr, raw(sealed.data()), sealed.size(), raw(tag), raw(clear.data()),
             clear.size(), nonce.data(), key_.data()) == 0;
}

}  // namespace lockstep::transports
