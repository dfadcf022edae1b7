#pragma once

#include <sodium.h>

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "transports/hello/handshake.hpp"

namespace lockstep::transports {

/// A hello that only the other end of the handshake can read, and nobody can alter: libsodium's
/// secretstream (XChaCha20-Poly1305) of two pieces, the hello's header and the rest, of which the
/// second is marked as the last. No length travels in the clear: the header, once opened, tells it.
std::vector<std::byte> seal(const Secret& key, std::span<const std::byte> hello);

/// Opens what `seal` made, piece by piece as it arrives. Wipes its state when it ends.
class SealedHello {
 public:
  explicit SealedHello(const Secret& key);
  ~SealedHello();
  SealedHello(const SealedHello&) = delete;
  SealedHello& operator=(const SealedHello&) = delete;

  /// How many bytes the next piece has; at most kMaxHelloBytes and some.
  [[nodiscard]] std::size_t wanted() const noexcept { return wanted_; }

  /// Takes `wanted()` bytes. False: they are not what the holder of the key sealed; then nothing
  /// else may be called.
  [[nodiscard]] bool open(std::span<const std::byte> piece);

  /// The hello, once all of it is here.
  [[nodiscard]] bool complete() const noexcept { return complete_; }
  [[nodiscard]] const std::vector<std::byte>& hello() const noexcept { return hello_; }

 private:
  /// Appends what `sealed` holds to the hello.
  bool pull(std::span<const std::byte> sealed, unsigned char expected_tag);

  const Secret& key_;
  crypto_secretstream_xchacha20poly1305_state state_{};
  std::vector<std::byte> hello_;
  std::size_t wanted_;
  bool complete_ = false;
};

}  // namespace lockstep::transports
