#include "transports/hello/handshake.hpp"

#include <sodium.h>

#include <bit>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

namespace lockstep::transports {
namespace {

static_assert(std::endian::native == std::endian::little);  // numbers are hashed as they lie
static_assert(GroupKey::kBytes == crypto_generichash_KEYBYTES);
static_assert(Secret::size() == crypto_kx_SECRETKEYBYTES &&
              Secret::size() == crypto_scalarmult_BYTES);
static_assert(Secret::size() == crypto_kdf_KEYBYTES);
static_assert(sizeof(PublicKey) == crypto_kx_PUBLICKEYBYTES);

/// Changes whenever what is said or derived does: both sides fail then, and neither is misled.
constexpr std::string_view kProtocol = "Lockstep handshake 1: X25519 BLAKE2b XChaCha20-Poly1305";

/// Keyed BLAKE2b over fields that cannot run into one another: each with its length in front.
class KeyedHash {
 public:
  KeyedHash(const GroupKey& key, std::string_view purpose, const HandshakeTerms& terms) {
    crypto_generichash_init(&state_, key.bytes().data(), key.bytes().size(), sizeof(Tag));
    add(kProtocol.data(), kProtocol.size());
    add(purpose.data(), purpose.size());
    add(&terms.version, sizeof terms.version);
    add(terms.group.data(), terms.group.size());
    add(&terms.welcomer_rank, sizeof terms.welcomer_rank);
  }
  ~KeyedHash() { sodium_memzero(&state_, sizeof state_); }
  KeyedHash(const KeyedHash&) = delete;
  KeyedHash& operator=(const KeyedHash&) = delete;

  void add(const void* field, std::uint64_t bytes) {
    crypto_generichash_update(&state_, reinterpret_cast<const unsigned char*>(&bytes),
                              sizeof bytes);
    crypto_generichash_update(&state_, static_cast<const unsigned char*>(field), bytes);
  }
  void finish(unsigned char* digest) { crypto_generichash_final(&state_, digest, sizeof(Tag)); }

 private:
  crypto_generichash_state state_;
};

bool equal(const Tag& one, const Tag& other) {
  static_assert(sizeof(Tag) == crypto_verify_32_BYTES);
  return crypto_verify_32(one.data(), other.data()) == 0;
}

/// What the two sides derive from the one secret that they share.
enum class Derived : std::uint64_t {
  dialler_tag = 1,
  welcomer_tag = 2,
  dialler_seals = 3,
  welcomer_seals = 4,
  dialler_sends = 5,
  welcomer_sends = 6
};

void derive_from(const Secret& master, Derived what, unsigned char* place) {
  static constexpr char kContext[crypto_kdf_CONTEXTBYTES + 1] = "lockstep";
  crypto_kdf_derive_from_key(place, Secret::size(), std::to_underlying(what), kContext,
                             master.data());
}

}  // namespace

Handshake::Handshake(const GroupKey& key, HandshakeTerms terms)
    : key_(key), terms_(std::move(terms)) {}

Greeting Handshake::opening() {
  make_ephemeral();
  return {.ephemeral = mine_, .tag = opening_tag(mine_)};
}

std::optional<Greeting> Handshake::answer(const Greeting& opening) {
  if (!equal(opening.tag, opening_tag(opening.ephemeral))) return std::nullopt;
  make_ephemeral();
  if (!derive(opening.ephemeral, mine_, opening.ephemeral)) return std::nullopt;
  return Greeting{.ephemeral = mine_, .tag = welcomer_tag_};
}

/// Not before it is needed: this is the curve that a stranger's opening shall not cost.
void Handshake::make_ephemeral() { crypto_kx_keypair(mine_.data(), secret_.data()); }

bool Handshake::accepts(const Greeting& answer) {
  return derive(mine_, answer.ephemeral, answer.ephemeral) && equal(answer.tag, welcomer_tag_);
}

bool Handshake::confirms(const Tag& confirmation) const {
  return equal(confirmation, dialler_tag_);
}

void Handshake::take_link_key(Side side, Secret& key) {
  Secret& mine = side == Side::dialler ? dialler_sends_ : welcomer_sends_;
  std::memcpy(key.data(), mine.data(), Secret::size());
  sodium_memzero(mine.data(), Secret::size());
}

Tag Handshake::opening_tag(const PublicKey& dialler) const {
  KeyedHash hash(key_, "opening", terms_);
  hash.add(dialler.data(), dialler.size());
  Tag tag;
  hash.finish(tag.data());
  return tag;
}

/// False: `theirs` is one of the few public keys that give the same secret to everybody.
bool Handshake::derive(const PublicKey& dialler, const PublicKey& welcomer,
                       const PublicKey& theirs) {
  Secret shared;
  if (crypto_scalarmult(shared.data(), secret_.data(), theirs.data()) != 0) return false;
  Secret master;
  KeyedHash hash(key_, "master", terms_);
  hash.add(dialler.data(), dialler.size());
  hash.add(welcomer.data(), welcomer.size());
  hash.add(shared.data(), Secret::size());
  hash.finish(master.data());
  derive_from(master, Derived::dialler_tag, dialler_tag_.data());
  derive_from(master, Derived::welcomer_tag, welcomer_tag_.data());
  derive_from(master, Derived::dialler_seals, dialler_seals_.data());
  derive_from(master, Derived::welcomer_seals, welcomer_seals_.data());
  derive_from(master, Derived::dialler_sends, dialler_sends_.data());
  derive_from(master, Derived::welcomer_sends, welcomer_sends_.data());
  return true;
}

}  // namespace lockstep::transports
