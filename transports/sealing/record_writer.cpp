#include "transports/sealing/record_writer.hpp"

#include <algorithm>
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
    const std::size_t bytes = gather(stream);
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

/// One record's worth of the stream, in one piece.
std::size_t RecordWriter::gather(stream::OutboundStream& stream) noexcept {
  std::size_t filled = 0;
  stream::OutboundStream::Pieces pieces;
  while (filled < kMostRecordBytes && !stream.empty()) {
    const std::size_t before = filled;
    const std::size_t count = stream.gather(pieces);
    for (std::size_t piece = 0; piece < count && filled < kMostRecordBytes; ++piece) {
      const std::size_t bytes = std::min(pieces[piece].iov_len, kMostRecordBytes - filled);
      std::memcpy(plain_.get() + filled, pieces[piece].iov_base, bytes);
      filled += bytes;
    }
    stream.sent(filled - before);
  }
  return filled;
}

}  // namespace lockstep::transports
