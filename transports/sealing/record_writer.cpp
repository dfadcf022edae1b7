#include "transports/sealing/record_writer.hpp"

#include <cstring>

namespace lockstep::transports {
namespace {

/// AES-GCM is not to be used for more records under one key (RFC 8446, section 5.5: 2^24.5).
constexpr std::uint64_t kRecordsPerKey = std::uint64_t{1} << 24;

}  // namespace

RecordWriter::RecordWriter(CipherKind kind, const Secret& key)
    : cipher_(kind, key),
      plain_(std::make_unique<std::byte[]>(kMostRecordBytes)),
      memory_(std::make_unique<std::byte[]>(kRecords * kMostSealedRecordBytes)) {}

void RecordWriter::fill(stream::OutboundStream& stream) noexcept {
  if (sent_ < filled_) return;
  clear();
  for (std::size_t record = 0; record < kRecords && !stream.empty(); ++record) {
    const std::size_t bytes = stream.take({plain_.get(), kMostRecordBytes});
    if ((records_ + 1) % kRecordsPerKey == 0) renew_ = true;
    const RecordHeader header{.bytes = static_cast<std::uint32_t>(bytes),
                              .next_key = renew_ ? 1U : 0U};
    std::byte* const place = memory_.get() + filled_;
    std::memcpy(place, &header, sizeof header);
    std::byte* const sealed = place + sizeof header;
    cipher_.seal({kRecordNumbers, records_}, {place, sizeof header}, {plain_.get(), bytes}, sealed,
                 sealed + bytes);
    filled_ += sizeof header + bytes + LinkCipher::kTagBytes;
    ++records_;
    if (renew_) cipher_.advance();
    renew_ = false;
  }
}

}  // namespace lockstep::transports
