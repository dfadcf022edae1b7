#include "transports/hello/sealed_hello.hpp"

#include "runtime/assert.hpp"

namespace lockstep::transports {
namespace {

constexpr std::size_t kNonceBytes = crypto_secretstream_xchacha20poly1305_HEADERBYTES;
constexpr std::size_t kSealBytes = crypto_secretstream_xchacha20poly1305_ABYTES;
constexpr unsigned char kMore = crypto_secretstream_xchacha20poly1305_TAG_MESSAGE;
constexpr unsigned char kLast = crypto_secretstream_xchacha20poly1305_TAG_FINAL;
static_assert(Secret::size() == crypto_secretstream_xchacha20poly1305_KEYBYTES);

unsigned char* raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }
const unsigned char* raw(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}

}  // namespace

std::vector<std::byte> seal(const Secret& key, std::span<const std::byte> hello) {
  LOCKSTEP_ASSERT(hello.size() >= sizeof(HelloHeader));
  LOCKSTEP_ASSERT(hello.size() <= kMaxHelloBytes);
  std::vector<std::byte> sealed(kNonceBytes + hello.size() + 2 * kSealBytes);
  crypto_secretstream_xchacha20poly1305_state state;
  crypto_secretstream_xchacha20poly1305_init_push(&state, raw(sealed.data()), key.data());
  std::byte* place = sealed.data() + kNonceBytes;
  const auto push = [&](std::span<const std::byte> piece, unsigned char tag) {
    crypto_secretstream_xchacha20poly1305_push(&state, raw(place), nullptr, raw(piece.data()),
                                               piece.size(), nullptr, 0, tag);
    place += piece.size() + kSealBytes;
  };
  push(hello.first(sizeof(HelloHeader)), kMore);
  push(hello.subspan(sizeof(HelloHeader)), kLast);
  sodium_memzero(&state, sizeof state);
  return sealed;
}

SealedHello::SealedHello(const Secret& key)
    : key_(key), wanted_(kNonceBytes + sizeof(HelloHeader) + kSealBytes) {}

SealedHello::~SealedHello() { sodium_memzero(&state_, sizeof state_); }

bool SealedHello::open(std::span<const std::byte> piece) {
  LOCKSTEP_ASSERT(piece.size() == wanted_);
  LOCKSTEP_ASSERT(!complete_);
  if (!hello_.empty()) {
    complete_ = pull(piece, kLast);
    wanted_ = 0;
    return complete_;
  }
  if (crypto_secretstream_xchacha20poly1305_init_pull(&state_, raw(piece.data()), key_.data()) !=
      0) {
    return false;
  }
  if (!pull(piece.subspan(kNonceBytes), kMore)) return false;
  const auto bytes = hello_bytes(hello_);
  if (!bytes) return false;
  wanted_ = *bytes - sizeof(HelloHeader) + kSealBytes;
  return true;
}

bool SealedHello::pull(std::span<const std::byte> sealed, unsigned char expected_tag) {
  const std::size_t had = hello_.size();
  hello_.resize(had + sealed.size() - kSealBytes);
  unsigned char tag = 0;
  const int opened =
      crypto_secretstream_xchacha20poly1305_pull(&state_, raw(hello_.data() + had), nullptr, &tag,
                                                 raw(sealed.data()), sealed.size(), nullptr, 0);
  return opened == 0 && tag == expected_tag;
}

}  // namespace lockstep::transports
