#include "ordering/ring_writer.hpp"

#include <algorithm>
#include <bit>
#include <new>

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
  if (room_end_ - head_ < frame && !make_room(frame)) [[unlikely]] {
    return nullptr;
  }
  claimed_payload_ = bytes;
  return memory_.data() + (head_ & mask_) + sizeof(FrameHeader);
}

[[gnu::noinline]] bool RingWriter::make_room(std::size_t frame) noexcept {
  const std::uint64_t to_end = memory_.size() - (head_ & mask_);
  const std::uint64_t free = memory_.size() - (head_ - tail_);
  room_end_ = head_ + std::min(to_end, free);
  if (frame > to_end && free >= to_end) {
    const auto pad = static_cast<std::size_t>(to_end);
    if (!mutant(Mutant::no_pad)) {
      write_frame(static_cast<std::uint32_t>(pad - kFrameOverhead) | kPadFlag, pad, 0, 0);
    }
    head_ += pad;
    room_end_ = head_ + (free - pad);
  }
  return room_end_ - head_ >= frame;
}

void RingWriter::publish(std::uint64_t timestamp_ns, std::uint32_t nulls_before,
                         std::uint64_t sequence) noexcept {
  if (mutant(Mutant::nulls_uncounted)) nulls_before = 0;
  const std::size_t bytes = frame_bytes(claimed_payload_);
  write_frame(static_cast<std::uint32_t>(claimed_payload_), bytes, timestamp_ns, nulls_before);
  head_ += bytes;
  frames_end_ = head_;
  end_sequence_ = sequence + 1;
  if (head_ >= next_checkpoint_) note_checkpoint();
}

bool RingWriter::pass_over_nulls() noexcept {
  if (room_end_ - head_ < kFrameOverhead && !make_room(kFrameOverhead)) return false;
  write_frame(kPadFlag, kFrameOverhead, 0, kMaxNullRun);
  head_ += kFrameOverhead;
  return true;
}

/// At `head_`. Built in place, never as a whole on the stack: what is loaded wider than it was
/// stored waits until the stores have left the processor's store buffer.
void RingWriter::write_frame(std::uint32_t length, std::size_t bytes, std::uint64_t timestamp_ns,
                             std::uint32_t nulls_before) noexcept {
  std::byte* const frame = memory_.data() + (head_ & mask_);
  std::byte* const tail = frame + bytes - kTailBytes;
  const std::uint64_t marker = header_marker(head_, nonce_);
  new (frame) FrameHeader{marker, timestamp_ns, length, nulls_before};
  new (tail) std::uint64_t{tail_word(marker, 0)};
  if (checksummed_) [[unlikely]] {
    add_checksum(frame, tail);
  }
}

[[gnu::noinline]] void RingWriter::add_checksum(std::byte* frame, std::byte* tail) const noexcept {
  const auto& header = *std::launder(reinterpret_cast<const FrameHeader*>(frame));
  const std::uint64_t checksum = frame_checksum(header, frame + sizeof(FrameHeader));
  new (tail) std::uint64_t{tail_word(header.marker, checksum)};
}

[[gnu::noinline]] void RingWriter::note_checkpoint() noexcept {
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
  // What was published since the last checkpoint: all of it or nothing. Not the pads after the last
  // frame: they take no turn, so nothing tells that readers have stepped over them.
  if (end_sequence_ <= delivered_sequence && frames_end_ <= completed_position) {
    tail_ = frames_end_;
  }
}

}  // namespace lockstep::ordering::inline LOCKSTEP_VARIANT
