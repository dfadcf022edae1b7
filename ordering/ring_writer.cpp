#include "ordering/ring_writer.hpp"

#include <algorithm>
#include <bit>

#include "runtime/assert.hpp"

namespace lockstep::ordering::inline LOCKSTEP_VARIANT {

RingWriter::RingWriter(std::span<std::byte> memory, std::uint64_t nonce, bool checksummed) noexcept
    : memory_(memory),
      mask_(memory.size() - 1),
      nonce_(nonce),
      next_checkpoint_(memory.size() / kSegments),
      checksummed_(checksummed) {
  LOCKSTEP_ASSERT(memory.empty() || std::has_single_bit(memory.size()));
}

std::byte* RingWriter::claim(std::size_t bytes) noexcept {
  const std::size_t frame = frame_bytes(bytes);
  const std::uint64_t to_end = memory_.size() - (head_ & mask_);
  const std::uint64_t pad = frame <= to_end ? 0 : to_end;
  if (memory_.size() - (head_ - tail_) < pad + frame) return nullptr;
  claimed_position_ = head_ + pad;
  claimed_payload_ = bytes;
  return memory_.data() + (claimed_position_ & mask_) + sizeof(FrameHeader);
}

void RingWriter::publish(std::uint64_t timestamp_ns, std::uint32_t nulls_before,
                         std::uint64_t sequence) noexcept {
  if (claimed_position_ != head_) {
    const auto pad = static_cast<std::size_t>(claimed_position_ - head_);
    if (!mutant(Mutant::no_pad)) {
      write_frame(head_, static_cast<std::uint32_t>(pad - kFrameOverhead) | kPadFlag, pad, 0, 0);
    }
  }
  if (mutant(Mutant::nulls_uncounted)) nulls_before = 0;
  const std::size_t bytes = frame_bytes(claimed_payload_);
  write_frame(claimed_position_, static_cast<std::uint32_t>(claimed_payload_), bytes, timestamp_ns,
              nulls_before);
  head_ = claimed_position_ + bytes;
  end_sequence_ = sequence + 1;
  if (head_ >= next_checkpoint_) note_checkpoint();
}

bool RingWriter::pass_over_nulls() noexcept {
  if (memory_.size() - (head_ - tail_) < kFrameOverhead) return false;
  write_frame(head_, kPadFlag, kFrameOverhead, 0, kMaxNullRun);
  head_ += kFrameOverhead;
  return true;
}

void RingWriter::write_frame(std::uint64_t position, std::uint32_t length, std::size_t bytes,
                             std::uint64_t timestamp_ns, std::uint32_t nulls_before) noexcept {
  std::byte* frame = memory_.data() + (position & mask_);
  const FrameHeader header{header_marker(position, nonce_), timestamp_ns, length, nulls_before};
  const std::uint64_t checksum =
      checksummed_ ? frame_checksum(header, frame + sizeof(FrameHeader)) : 0;
  const std::uint64_t tail = tail_word(header.marker, checksum);
  std::memcpy(frame, &header, sizeof header);
  std::memcpy(frame + bytes - kTailBytes, &tail, sizeof tail);
}

void RingWriter::note_checkpoint() noexcept {
  // Never full: reclaiming drops what lies before the tail, and [tail, head) spans at most
  // kSegments segments, one checkpoint each.
  LOCKSTEP_ASSERT(checkpoint_head_ - checkpoint_tail_ < kCheckpoints);
  checkpoints_[checkpoint_head_++ % kCheckpoints] = {head_, end_sequence_};
  next_checkpoint_ = head_ + memory_.size() / kSegments;
}

void RingWriter::reclaim(std::uint64_t delivered_sequence,
                         std::uint64_t completed_position) noexcept {
  while (checkpoint_tail_ != checkpoint_head_) {
    const Checkpoint& oldest = checkpoints_[checkpoint_tail_ % kCheckpoints];
    if (oldest.sequence > delivered_sequence || oldest.position > completed_position) break;
    tail_ = oldest.position;
    ++checkpoint_tail_;
  }
  // What was published since the last checkpoint: all of it or nothing.
  if (end_sequence_ <= delivered_sequence && head_ <= completed_position) tail_ = head_;
}

}  // namespace lockstep::ordering::inline LOCKSTEP_VARIANT
