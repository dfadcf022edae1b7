#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "transports/sim/random.hpp"

namespace lockstep::sim {

/// Fills a payload with bytes of its own: no two messages of a run look alike.
inline void fill_payload(std::span<std::byte> payload, std::uint64_t seed) {
  transports::Random random(seed);
  while (!payload.empty()) {
    const std::uint64_t word = random.next();
    const std::size_t bytes = payload.size() < sizeof word ? payload.size() : sizeof word;
    std::memcpy(payload.data(), &word, bytes);
    payload = payload.subspan(bytes);
  }
}

/// Tells payloads apart. Of the checkers' own, so that it shares nothing with the checksums of
/// frames: FNV-1a (Fowler, Noll, Vo) by words.
inline std::uint64_t payload_hash(std::span<const std::byte> payload) {
  std::uint64_t hash = 0xcbf29ce484222325U ^ payload.size();
  while (!payload.empty()) {
    std::uint64_t word = 0;
    const std::size_t bytes = payload.size() < sizeof word ? payload.size() : sizeof word;
    std::memcpy(&word, payload.data(), bytes);
    hash = (hash ^ word) * 0x100000001b3U;
    hash ^= hash >> 32U;
    payload = payload.subspan(bytes);
  }
  return hash;
}

}  // namespace lockstep::sim
