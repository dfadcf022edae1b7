#pragma once

#include <cstddef>
#include <cstdint>

namespace lockstep::ordering {

/// The words of a row that others need all the time: one cache line, written by its owner only,
/// mirrored at every peer by one-sided writes. Each word only grows, so a stale copy is merely
/// conservative and the newest value contains all older ones.
///
/// "Shared state table": Jha et al., Derecho, ACM TOCS 36(2), 2019, §3.
struct alignas(64) HotLine {
  /// I hold every frame and null of the others before this sequence. Mine I hold anyway, and who
  /// sees one of them knows: so a frame needs no row, only its acknowledgement does.
  std::uint64_t received_sequence;
  std::uint64_t issued;              ///< my next index: all my turns before it are taken
  std::uint64_t delivered_sequence;  ///< I delivered everything before this sequence
  std::uint64_t beat;                ///< grows while I live
  std::uint64_t table;               ///< changes when more of my row is to be seen elsewhere
  std::uint64_t unused[3];
};
static_assert(sizeof(HotLine) == 64);
static_assert(offsetof(HotLine, issued) == 8);
static_assert(offsetof(HotLine, delivered_sequence) == 16);
static_assert(offsetof(HotLine, beat) == 24);

/// One copy of a link's region: the writer's row, then its ring. The ring starts a pair of lines
/// further on, since processors prefetch lines in pairs.
inline constexpr std::size_t kRowOffset = 0;
inline constexpr std::size_t kRingOffset = 128;

constexpr std::size_t region_bytes(std::size_t ring_bytes) noexcept {
  return kRingOffset + ring_bytes;
}

}  // namespace lockstep::ordering
