#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "transports/sealing/link_cipher.hpp"

namespace lockstep::transports {

/// A sealed stream is a row of records: this, the sealed bytes, their tag. Their numbers count from
/// 0 and are not sent: a record that is left out, sent again or moved does not open. Little-endian.
struct RecordHeader {
  std::uint32_t bytes = 0;     ///< of the stream in this record, 1 to kMostRecordBytes
  std::uint32_t next_key = 0;  ///< 1: the records after this one are under the key that follows
};
static_assert(std::endian::native == std::endian::little);
static_assert(sizeof(RecordHeader) == 8);

/// As much as TLS puts into one (RFC 8446, section 5.1): nothing of a record can be used before all
/// of it is here.
inline constexpr std::size_t kMostRecordBytes = 16 * 1024;
inline constexpr std::size_t kMostSealedRecordBytes =
    sizeof(RecordHeader) + kMostRecordBytes + LinkCipher::kTagBytes;
/// The kind of number that records have, see LinkCipher::Number.
inline constexpr std::uint32_t kRecordNumbers = 0x7263;

}  // namespace lockstep::transports
