#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "transports/stream/frame_header.hpp"
#include "transports/transport.hpp"

namespace lockstep::transports::stream {

/// The writes posted on one link and not yet taken by what is below (a socket, packets), as pieces
/// that point at the source memory: nothing but rows is copied here. Bounded.
///
/// A write that goes on where the one before it ended, in the source and in the region, is made
/// part of it while none of it has been sent: what waits becomes few large writes.
class OutboundStream {
 public:
  /// Writes that may wait on a link. A power of two.
  static constexpr std::uint64_t kDepth = 256;
  /// Writes are joined up to this size: the sender's memory is free again write by write.
  static constexpr std::size_t kMostJoined = 64 * 1024;
  /// Pieces that one `gather` yields at most: two per write.
  static constexpr std::size_t kMostPieces = 64;
  using Pieces = std::array<iovec, kMostPieces>;

  Post push(std::uint32_t copy, std::uint64_t offset, std::span<const std::byte> bytes,
            std::uint64_t mark) noexcept;

  /// Ends the stream in good order: after this nothing is pushed.
  Post push_leave() noexcept;

  /// The next bytes to send, in order; how many pieces there are. They stay as they are until
  /// `sent`, which is called before the next gather.
  std::size_t gather(Pieces& pieces) noexcept;
  /// The next `bytes` of them were taken (perhaps none); nobody looks at the pieces any more.
  void sent(std::size_t bytes) noexcept;

  /// Copies the next bytes into `place`, as many as it holds and there are; how many. They count as
  /// sent.
  std::size_t take(std::span<std::byte> place) noexcept;

  [[nodiscard]] bool empty() const noexcept { return tail_ == head_; }
  /// See Transport::completed. Several writes may have one mark: it is complete with the last.
  [[nodiscard]] std::uint64_t completed() const noexcept {
    if (empty()) return last_mark_;
    const std::uint64_t waiting = entries_[tail_ % kDepth].mark;
    return completed_ < waiting || waiting == 0 ? completed_ : waiting - 1;
  }
  /// Forgets everything: the link is down.
  void clear() noexcept;

 private:
  struct Entry {
    FrameHeader header;
    std::array<std::byte, kInlineBytes> copied;
    const std::byte* body;  ///< in the source memory; null: `copied`
    std::uint64_t mark;
  };

  [[nodiscard]] Entry& entry(std::uint64_t number) noexcept { return entries_[number % kDepth]; }
  bool extend_last(std::uint32_t copy, std::uint64_t offset, std::span<const std::byte> bytes,
                   std::uint64_t mark) noexcept;

  std::array<Entry, kDepth> entries_;
  std::uint64_t tail_ = 0;    ///< the oldest entry that is not all sent
  std::uint64_t head_ = 0;    ///< one past the newest
  std::uint64_t frozen_ = 0;  ///< entries before it are handed out, or half sent: they stay as is
  std::size_t sent_ = 0;      ///< bytes of the oldest, header included
  std::uint64_t completed_ = 0;  ///< mark of the last write that was all sent
  std::uint64_t last_mark_ = 0;
};

}  // namespace lockstep::transports::stream
