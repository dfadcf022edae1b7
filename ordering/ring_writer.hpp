#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ordering/frame.hpp"
#include "ordering/variant.hpp"

namespace lockstep::ordering::inline LOCKSTEP_VARIANT {

/// A sender's own ring: where frames are built in place, and from where they are posted.
///
/// Positions are absolute 64-bit byte counts that never wrap; the place in memory is the position
/// modulo the ring size. `tail <= head`, `head - tail <= size`: bytes in [tail, head) belong to
/// frames that somebody may still need.
class RingWriter {
 public:
  /// `memory` is a power of two in size. `checksummed`: the medium does not promise the order of
  /// bytes inside a write.
  RingWriter(std::span<std::byte> memory, std::uint64_t nonce, bool checksummed) noexcept;

  /// Room for a payload of `bytes` (at most max_payload_bytes), or null when the ring is full.
  /// A later claim replaces an unpublished one. Pads up to the ring's end if the frame does not
  /// fit before it.
  std::byte* claim(std::size_t bytes) noexcept;

  /// Completes the claimed frame, which then has `sequence` in the order.
  void publish(std::uint64_t timestamp_ns, std::uint32_t nulls_before,
               std::uint64_t sequence) noexcept;

  /// Writes an empty pad that counts kMaxNullRun nulls: for the sender whose run of nulls does not
  /// fit the header of its next frame. False when the ring is full.
  bool pass_over_nulls() noexcept;

  /// Frees frames whose sequences are all below `delivered_sequence` and whose bytes lie before
  /// `completed_position`.
  void reclaim(std::uint64_t delivered_sequence, std::uint64_t completed_position) noexcept;

  [[nodiscard]] std::uint64_t head() const noexcept { return head_; }
  [[nodiscard]] std::uint64_t tail() const noexcept { return tail_; }
  [[nodiscard]] std::size_t size() const noexcept { return memory_.size(); }
  [[nodiscard]] std::byte* memory() const noexcept { return memory_.data(); }
  /// One past the sequence of the last published frame.
  [[nodiscard]] std::uint64_t end_sequence() const noexcept { return end_sequence_; }

 private:
  bool make_room(std::size_t frame) noexcept;
  void write_frame(std::uint32_t length, std::size_t bytes, std::uint64_t timestamp_ns,
                   std::uint32_t nulls_before) noexcept;
  void add_checksum(std::byte* frame, std::byte* tail) const noexcept;
  void note_checkpoint() noexcept;

  // Reclaiming by checkpoints, one per 1/32 of the ring, costs nothing per frame: each says that
  // everything before `position` has a sequence below `sequence`.
  struct Checkpoint {
    std::uint64_t position;
    std::uint64_t sequence;
  };
  static constexpr std::size_t kSegments = 32;
  static constexpr std::size_t kCheckpoints = 64;

  std::span<std::byte> memory_;
  std::uint64_t mask_;
  std::uint64_t nonce_;
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
  std::uint64_t room_end_ = 0;    ///< [head, room_end) is known to be free and in one piece
  std::uint64_t frames_end_ = 0;  ///< where the last frame ends; pads may follow it
  std::uint64_t end_sequence_ = 0;
  std::size_t claimed_payload_ = 0;
  std::uint64_t next_checkpoint_;
  std::uint64_t checkpoint_head_ = 0;
  std::uint64_t checkpoint_tail_ = 0;
  bool checksummed_;
  std::array<Checkpoint, kCheckpoints> checkpoints_{};
};

}  // namespace lockstep::ordering::inline LOCKSTEP_VARIANT
