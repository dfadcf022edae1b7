#pragma once

#include <fmt/format.h>

// Inlined: the size of the value is then a constant, and the digest half the price.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdint>
#include <string>
#include <type_traits>

namespace lockstep::examples {

/// A 64-bit digest over a sequence of values: equal only if the values and their order are. Each
/// value is hashed with the digest so far as the seed (XXH3, Collet).
class Digest {
 public:
  /// Goes on from `value`, what another digest had come to.
  explicit Digest(std::uint64_t value = 0) noexcept : value_(value) {}

  template <class T>
    requires std::has_unique_object_representations_v<T>
  void add(const T& value) noexcept {
    value_ = XXH3_64bits_withSeed(&value, sizeof value, value_);
  }

  [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

 private:
  std::uint64_t value_;
};

/// 16 hex digits.
inline std::string to_hex(std::uint64_t digest) { return fmt::format("{:016x}", digest); }

}  // namespace lockstep::examples
