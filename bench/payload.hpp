#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace lockstep::bench {

/// The work that goes with every message, the same in the benchmark's subject and in its floors:
/// whoever writes a payload writes all of it, whoever reads one adds up all of its words. So no
/// figure here is that of bytes nobody touched. Both loops vectorise; memcpy keeps them legal on
/// any memory.
inline constexpr std::uint64_t kWordStep = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio

/// Fills `payload` with words that depend on `seed`; a tail of fewer than 8 bytes is filled too.
inline void fill(std::span<std::byte> payload, std::uint64_t seed) noexcept {
  const std::size_t words = payload.size() / 8;
  std::byte* out = payload.data();
  for (std::size_t i = 0; i < words; ++i) {
    const std::uint64_t word = seed + i * kWordStep;
    std::memcpy(out + i * 8, &word, 8);
  }
  const std::uint64_t last = seed + words * kWordStep;
  if (const std::size_t rest = payload.size() % 8; rest != 0) {
    std::memcpy(out + words * 8, &last, rest);
  }
}

/// The sum of the 64-bit words of `payload`, a short tail padded with zeroes.
inline std::uint64_t sum(std::span<const std::byte> payload) noexcept {
  const std::size_t words = payload.size() / 8;
  const std::byte* in = payload.data();
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < words; ++i) {
    std::uint64_t word;
    std::memcpy(&word, in + i * 8, 8);
    total += word;
  }
  if (const std::size_t rest = payload.size() % 8; rest != 0) {
    std::uint64_t last = 0;
    std::memcpy(&last, in + words * 8, rest);
    total += last;
  }
  return total;
}

/// A running hash over (sequence, sender, payload sum): equal on two members exactly when they
/// applied the same messages in the same order (but for chance of 2^-64). Not cryptographic. One
/// multiplication is on the critical path of a message.
class Digest {
 public:
  void add(std::uint64_t sequence, std::uint64_t sender, std::uint64_t payload_sum) noexcept {
    const std::uint64_t message = sequence * kWordStep + sender * 0xc2b2ae3d27d4eb4f + payload_sum;
    hash_ = (std::rotl(hash_, 27) ^ message) * 0x9fb21c651e98df25;
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return hash_; }

 private:
  std::uint64_t hash_ = 0x6c6f636b73746570;
};

}  // namespace lockstep::bench
