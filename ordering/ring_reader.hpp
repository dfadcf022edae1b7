#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "ordering/frame.hpp"
#include "ordering/variant.hpp"
#include "runtime/assert.hpp"
#include "runtime/word.hpp"

namespace lockstep::ordering::inline LOCKSTEP_VARIANT {

/// How far a reader may trust what it sees of a frame whose header marker matches.
enum class Trust : std::uint8_t {
  marker_last,  ///< the rest of the frame was there before its marker (shared memory)
  tail_last,    ///< bytes appear in ascending order: the tail says that all are there
  checksum,     ///< bytes appear in any order: only a checksum says so
};

enum class Read : std::uint8_t {
  frame,
  nothing,    ///< not there yet
  malformed,  ///< no correct writer writes this; only Trust::marker_last can tell
};

/// A frame in place.
struct FrameRef {
  const std::byte* payload = nullptr;
  std::uint64_t next_position = 0;
  std::uint64_t timestamp_ns = 0;
  std::uint32_t length = 0;  ///< as in FrameHeader
  std::uint32_t nulls_before = 0;

  [[nodiscard]] bool pad() const noexcept { return (length & kPadFlag) != 0; }
  [[nodiscard]] std::uint32_t payload_bytes() const noexcept { return length & ~kPadFlag; }
};

/// Reads the ring of one sender, frame by frame, out of memory that somebody else writes. Holds no
/// cursor: positions are the caller's. Never reads outside the ring, whatever its bytes are.
///
/// The one reader rule: header marker, bounds-checked length, tail, then payload.
class RingReader {
 public:
  RingReader() = default;
  RingReader(std::span<const std::byte> memory, std::uint64_t nonce, Trust trust) noexcept
      : memory_(memory.data()), size_(memory.size()), nonce_(nonce), trust_(trust) {}

  /// Calls `function` with this reader's trust as a compile-time constant.
  template <class Function>
  auto with_trust(Function&& function) const {
    switch (trust_) {
      case Trust::marker_last:
        return function(std::integral_constant<Trust, Trust::marker_last>{});
      case Trust::tail_last:
        return function(std::integral_constant<Trust, Trust::tail_last>{});
      case Trust::checksum:
        break;
    }
    return function(std::integral_constant<Trust, Trust::checksum>{});
  }

  /// Looks for the frame at `position`.
  Read read(std::uint64_t position, FrameRef& frame) const noexcept {
    return with_trust([&](auto trust) { return read<trust>(position, frame); });
  }

  /// The same for who knows the trust at compile time, as a loop over many frames does.
  template <Trust kTrust>
  Read read(std::uint64_t position, FrameRef& frame) const noexcept;

  /// Reads a frame again that `read` has accepted before. The writer may be hostile and have
  /// changed it, so its bounds are checked again; false when they are wrong.
  [[nodiscard]] bool reread(std::uint64_t position, FrameRef& frame) const noexcept {
    return locate(position, frame);
  }

  /// Copies what lies between two positions into `memory`, of the ring's size, and reads from there
  /// from now on.
  void copy(std::uint64_t from, std::uint64_t to, std::span<std::byte> memory) noexcept {
    LOCKSTEP_ASSERT(memory.size() == size_);
    constexpr std::uint64_t kWord = sizeof(std::uint64_t);
    for (std::uint64_t position = from & ~(kWord - 1); position < to; position += kWord) {
      const std::uint64_t offset = position & (size_ - 1);
      *reinterpret_cast<std::uint64_t*>(memory.data() + offset) =
          runtime::load_acquire(*reinterpret_cast<const std::uint64_t*>(memory_ + offset));
    }
    memory_ = memory.data();
  }

 private:
  template <Trust kTrust>
  Read read_marked(std::uint64_t position, std::uint64_t marker, FrameRef& frame) const noexcept;
  bool locate(std::uint64_t position, FrameRef& frame) const noexcept;

  const std::byte* memory_ = nullptr;
  std::uint64_t size_ = 0;
  std::uint64_t nonce_ = 0;
  Trust trust_ = Trust::checksum;
};

template <Trust kTrust>
[[gnu::always_inline]] inline Read RingReader::read(std::uint64_t position,
                                                    FrameRef& frame) const noexcept {
  const std::uint64_t offset = position & (size_ - 1);
  const std::byte* start = memory_ + offset;
  // The tail of a small frame is in the next line: ask for both at once, not one after another.
  __builtin_prefetch(memory_ + ((offset + 64) & (size_ - 1)));
  const std::uint64_t marker = header_marker(position, nonce_);
  const auto& word = *reinterpret_cast<const std::uint64_t*>(start);
  if (runtime::load_acquire(word) != marker) return Read::nothing;
  return read_marked<kTrust>(position, marker, frame);
}

inline bool RingReader::locate(std::uint64_t position, FrameRef& frame) const noexcept {
  const std::uint64_t offset = position & (size_ - 1);
  const std::byte* start = memory_ + offset;
  // Each word is loaded once: a hostile writer may change it meanwhile.
  std::memcpy(&frame.length, start + offsetof(FrameHeader, length), sizeof frame.length);
  std::memcpy(&frame.nulls_before, start + offsetof(FrameHeader, nulls_before),
              sizeof frame.nulls_before);
  std::memcpy(&frame.timestamp_ns, start + offsetof(FrameHeader, timestamp_ns),
              sizeof frame.timestamp_ns);
  const std::uint64_t bytes = frame_bytes(frame.payload_bytes());
  frame.payload = start + sizeof(FrameHeader);
  frame.next_position = position + bytes;
  return bytes <= size_ - offset;
}

template <Trust kTrust>
[[gnu::always_inline]] inline Read RingReader::read_marked(std::uint64_t position,
                                                           std::uint64_t marker,
                                                           FrameRef& frame) const noexcept {
  constexpr Read kIncomplete = kTrust == Trust::marker_last ? Read::malformed : Read::nothing;
  if (!locate(position, frame)) return kIncomplete;
  if (!frame.pad() && frame.length > max_payload_bytes(size_)) return kIncomplete;
  if (mutant(Mutant::no_tail_check) && kTrust == Trust::tail_last) return Read::frame;
  if (mutant(Mutant::no_checksum) && kTrust == Trust::checksum) return Read::frame;
  std::uint64_t checksum = 0;
  if constexpr (kTrust == Trust::checksum) {
    const FrameHeader header{marker, frame.timestamp_ns, frame.length, frame.nulls_before};
    checksum = frame_checksum(header, frame.payload);
  }
  const std::byte* tail = memory_ + ((frame.next_position - kTailBytes) & (size_ - 1));
  const auto& tail_place = *reinterpret_cast<const std::uint64_t*>(tail);
  if (runtime::load_acquire(tail_place) != tail_word(marker, checksum)) return kIncomplete;
  return Read::frame;
}

}  // namespace lockstep::ordering::inline LOCKSTEP_VARIANT
