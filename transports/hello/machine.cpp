#include "transports/hello/machine.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string>

#include "runtime/host.hpp"
#include "transports/sealing/link_cipher.hpp"

namespace lockstep::transports {

Machine this_machine() {
  const std::string host = runtime::host_identity();
  return {.host = XXH3_64bits(host.data(), host.size()),
          .abilities = LinkCipher::has_aes() ? kHasAes : 0};
}

bool seals(Encryption encryption, const Machine& one, const Machine& other) noexcept {
  if (encryption == Encryption::off_host) return one.host != other.host;
  return encryption == Encryption::always;
}

CipherKind common_cipher(const Machine& one, const Machine& other) noexcept {
  const bool both = (one.abilities & other.abilities & kHasAes) != 0;
  return both ? CipherKind::aes256_gcm : CipherKind::chacha20_poly1305;
}

}  // namespace lockstep::transports
