#include "membership/chunk_window.hpp"

#include <algorithm>
#include <cstring>

#include "runtime/assert.hpp"

namespace lockstep::membership {

ChunkWindow::ChunkWindow(TransferId id)
    : id_(id), memory_(std::make_unique_for_overwrite<std::byte[]>(kChunks * kPacketBytes)) {}

std::size_t ChunkWindow::room() const noexcept {
  if (whole_) return 0;
  return (kChunks - (end_ - begin_)) * kMostChunkBytes - filled_;
}

std::size_t ChunkWindow::write(std::span<const std::byte> bytes) noexcept {
  bytes = bytes.first(std::min(bytes.size(), room()));
  const std::size_t taken = bytes.size();
  while (!bytes.empty()) {
    // Sealed only now: had this been all, it would have been the last chunk.
    seal_full();
    const std::size_t some = std::min(bytes.size(), kMostChunkBytes - filled_);
    std::byte* place = slot(end_).data() + sizeof(TransferHeader) + filled_;
    std::memcpy(place, bytes.data(), some);
    filled_ += some;
    bytes = bytes.subspan(some);
  }
  return taken;
}

void ChunkWindow::seal_full() noexcept {
  if (filled_ == kMostChunkBytes) seal(false);
}

void ChunkWindow::seal_last() noexcept {
  LOCKSTEP_ASSERT(!whole_);
  seal(true);
  whole_ = true;
}

void ChunkWindow::seal(bool last) noexcept {
  LOCKSTEP_ASSERT(end_ - begin_ < kChunks);
  const auto place = slot(end_);
  const auto body = place.subspan(sizeof(TransferHeader), filled_);
  packet_bytes_[end_ % kChunks] =
      encode({.kind = TransferKind::chunk, .id = id_, .number = end_, .last = last, .body = body},
             place)
          .size();
  ++end_;
  filled_ = 0;
}

std::span<const std::byte> ChunkWindow::packet(std::uint64_t number) const noexcept {
  LOCKSTEP_ASSERT(number >= begin_);
  LOCKSTEP_ASSERT(number < end_);
  return slot(number).first(packet_bytes_[number % kChunks]);
}

std::uint64_t ChunkWindow::release(std::uint64_t number) noexcept {
  LOCKSTEP_ASSERT(number <= end_);
  std::uint64_t bytes = 0;
  for (; begin_ < number; ++begin_) {
    bytes += packet_bytes_[begin_ % kChunks] - sizeof(TransferHeader);
  }
  return bytes;
}

std::span<std::byte> ChunkWindow::slot(std::uint64_t number) const noexcept {
  return {memory_.get() + number % kChunks * kPacketBytes, kPacketBytes};
}

}  // namespace lockstep::membership
