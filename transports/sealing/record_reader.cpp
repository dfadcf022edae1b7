#include "transports/sealing/record_reader.hpp"

#include <algorithm>
#include <cstring>

namespace lockstep::transports {
namespace {

/// Bytes of the record that `header` begins; 0: no peer begins one so.
std::size_t record_bytes(const RecordHeader& header) noexcept {
  const bool possible =
      header.bytes > 0 && header.bytes <= kMostRecordBytes && header.next_key <= 1;
  return possible ? sizeof header + header.bytes + LinkCipher::kTagBytes : 0;
}

}  // namespace

RecordReader::RecordReader(CipherKind kind, const Secret& key)
    : cipher_(kind, key),
      held_(std::make_unique<std::byte[]>(kMostSealedRecordBytes)),
      plain_(std::make_unique<std::byte[]>(kMostRecordBytes)) {}

stream::InboundStream::State RecordReader::feed(std::span<const std::byte> piece,
                                                stream::InboundStream& stream) noexcept {
  using State = stream::InboundStream::State;
  while (!piece.empty() && !broken_ && stream.state() == State::open) {
    // Whole records are opened where they are; what a record begins is held.
    const bool here = held_bytes_ == 0 && piece.size() >= sizeof(RecordHeader);
    if (!here && !hold(piece, sizeof(RecordHeader))) break;
    RecordHeader header;
    std::memcpy(&header, here ? piece.data() : held_.get(), sizeof header);
    const std::size_t wanted = record_bytes(header);
    std::span<const std::byte> record;
    if (wanted == 0) {
      broken_ = true;
      break;
    }
    if (here && piece.size() >= wanted) {
      record = piece.first(wanted);
      piece = piece.subspan(wanted);
    } else {
      if (!hold(piece, wanted)) break;
      record = {held_.get(), wanted};
      held_bytes_ = 0;
    }
    broken_ = !open(record, header);
    if (!broken_) stream.feed({plain_.get(), header.bytes});
  }
  return broken_ ? State::broken : stream.state();
}

bool RecordReader::hold(std::span<const std::byte>& piece, std::size_t wanted) noexcept {
  if (held_bytes_ >= wanted) return true;
  const std::size_t take = std::min(wanted - held_bytes_, piece.size());
  std::memcpy(held_.get() + held_bytes_, piece.data(), take);
  piece = piece.subspan(take);
  held_bytes_ += take;
  return held_bytes_ == wanted;
}

bool RecordReader::open(std::span<const std::byte> record, const RecordHeader& header) noexcept {
  const auto clear = record.first(sizeof header);
  const auto sealed = record.subspan(sizeof header, header.bytes);
  const std::byte* const tag = record.data() + sizeof header + header.bytes;
  if (!cipher_.open({kRecordNumbers, records_}, clear, sealed, tag, plain_.get())) return false;
  ++records_;
  if (header.next_key == 1) cipher_.advance();
  return true;
}

}  // namespace lockstep::transports
