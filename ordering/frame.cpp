#include "ordering/frame.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace lockstep::ordering::inline LOCKSTEP_VARIANT {

std::uint64_t frame_checksum(const FrameHeader& header, const std::byte* payload) noexcept {
  const std::size_t bytes = (header.length & kPadFlag) != 0 ? 0 : header.length;
  const std::uint64_t rest = XXH3_64bits_withSeed(payload, bytes, header.marker);
  return mix(rest ^ header.timestamp_ns) ^
         mix((std::uint64_t{header.length} << 32 | header.nulls_before) + header.marker);
}

}  // namespace lockstep::ordering::inline LOCKSTEP_VARIANT
