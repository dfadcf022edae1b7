#pragma once

#include <cstdint>

#include "transports/hello/secret.hpp"

namespace lockstep::transports {

/// By which cipher the two ends of a link seal what they send: the first that both can do fast.
enum class CipherKind : std::uint8_t {
  chacha20_poly1305,  ///< RFC 8439; every machine
  aes256_gcm,         ///< NIST SP 800-38D; where the processor has instructions for it
};

/// What seals one link, a key for each direction. Both come from the handshake over which the link
/// was made, so no two links share one, and neither do a link and the same link made anew.
struct LinkKeys {
  Secret sending;
  Secret receiving;
  CipherKind cipher = CipherKind::chacha20_poly1305;
};

}  // namespace lockstep::transports
