#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace lockstep::transports::stream {

/// What a stream says next.
enum class Kind : std::uint32_t {
  write = 0x7772,  ///< bytes for the receiver's region follow
  leave = 0x6c76,  ///< the sender leaves in good order; nothing follows
};

/// Stands before every write in the stream. The receiver's reactor puts the bytes that follow at
/// `offset` of `copy` in the region it keeps for this peer: the nearest a stream comes to a
/// one-sided write. Little-endian.
struct FrameHeader {
  Kind kind = Kind::write;
  std::uint32_t copy = 0;
  std::uint64_t offset = 0;  ///< a multiple of 8
  std::uint64_t bytes = 0;   ///< a multiple of 8
};
static_assert(std::endian::native == std::endian::little);
static_assert(sizeof(FrameHeader) == 24);
static_assert(offsetof(FrameHeader, offset) == 8);
static_assert(offsetof(FrameHeader, bytes) == 16);

}  // namespace lockstep::transports::stream
