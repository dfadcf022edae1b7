#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "ordering/mutant.hpp"
#include "ordering/variant.hpp"

namespace lockstep::ordering::inline LOCKSTEP_VARIANT {

/// Frames start and end on this boundary, so a frame of 64 payload bytes (96 in all) touches two
/// cache lines wherever it lies.
inline constexpr std::size_t kFrameAlignment = 32;

/// What stands before the payload. Written by one sender, read by all.
struct FrameHeader {
  std::uint64_t marker;        ///< header_marker(position, nonce): this frame, this lap, this epoch
  std::uint64_t timestamp_ns;  ///< the sender's wall clock at publish
  std::uint32_t length;        ///< payload bytes, and kPadFlag
  std::uint32_t nulls_before;  ///< turns the sender passed over since its last frame
};
static_assert(sizeof(FrameHeader) == 24);
static_assert(offsetof(FrameHeader, length) == 16);

/// Set in FrameHeader::length of a frame that only fills the ring up to its end; takes no turn.
inline constexpr std::uint32_t kPadFlag = 1u << 31;

/// The longest run of nulls one header counts.
inline constexpr std::uint32_t kMaxNullRun = 0xffffffffu;

/// After the payload, in the last 8 bytes of the frame: tail_word(…).
inline constexpr std::size_t kTailBytes = sizeof(std::uint64_t);
inline constexpr std::size_t kFrameOverhead = sizeof(FrameHeader) + kTailBytes;
static_assert(kFrameOverhead == kFrameAlignment, "an empty frame, or a pad, fits any gap");

/// Ring bytes that a payload takes.
constexpr std::size_t frame_bytes(std::size_t payload_bytes) noexcept {
  return (payload_bytes + kFrameOverhead + kFrameAlignment - 1) & ~(kFrameAlignment - 1);
}

/// The largest payload in a ring of `ring_bytes`: half of it with its frame. So a frame and the
/// pad before it always fit an empty ring: pad < frame <= ring / 2.
constexpr std::size_t max_payload_bytes(std::size_t ring_bytes) noexcept {
  return ring_bytes / 2 - kFrameOverhead;
}

/// The 64-bit finaliser of MurmurHash3 by Appleby, in Stafford's variant 13: every input bit flips
/// every output bit with probability one half.
constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// Marks the frame at the absolute `position` of a ring in the epoch of `nonce`. Bytes of an older
/// lap or epoch match with probability 2^-64; payloads never see the nonce. Never zero, so fresh
/// memory never matches.
inline std::uint64_t header_marker(std::uint64_t position, std::uint64_t nonce) noexcept {
  if (mutant(Mutant::marker_without_position)) position = 0;
  if (mutant(Mutant::marker_without_nonce)) nonce = 0;
  return mix(position + nonce) | 1;
}

/// The tail of a frame: derived from its header marker, so that one mixing serves both.
constexpr std::uint64_t tail_word(std::uint64_t marker, std::uint64_t checksum) noexcept {
  return (std::rotl(marker, 32) ^ 0x9e3779b97f4a7c15u) ^ checksum;
}

/// Covers header (marker excepted: it is the seed) and payload, for media that do not promise the
/// order of bytes inside one write. XXH3 (Collet), 64 bits: a stronger guard than a CRC-32, and a
/// library rather than code of ours.
std::uint64_t frame_checksum(const FrameHeader& header, const std::byte* payload) noexcept;

}  // namespace lockstep::ordering::inline LOCKSTEP_VARIANT
