#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "transports/hello/link_keys.hpp"
#include "transports/sealing/link_cipher.hpp"
#include "transports/sim/random.hpp"

namespace lockstep::transports::packet {

/// The keys of a link for tests, out of a seed: of one end, and of the `other`. The cipher is the
/// seed's choice, too.
inline void make_test_keys(std::uint64_t seed, bool other, LinkKeys& keys) {
  Random random(seed);
  for (std::size_t i = 0; i < Secret::size(); ++i) {
    keys.sending.data()[i] = static_cast<unsigned char>(random.next());
    keys.receiving.data()[i] = static_cast<unsigned char>(random.next());
  }
  if (other)
    std::swap_ranges(keys.sending.data(), keys.sending.data() + Secret::size(),
                     keys.receiving.data());
  const bool aes = seed % 2 == 0 && LinkCipher::has_aes();
  keys.cipher = aes ? CipherKind::aes256_gcm : CipherKind::chacha20_poly1305;
}

}  // namespace lockstep::transports::packet
