#include "transports/stream/outbound_stream.hpp"

#include <algorithm>
#include <cstring>

namespace lockstep::transports::stream {

Post OutboundStream::push(std::uint32_t copy, std::uint64_t offset,
                          std::span<const std::byte> bytes, std::uint64_t mark) noexcept {
  if (extend_last(copy, offset, bytes, mark)) return Post::posted;
  if (head_ - tail_ == kDepth) return Post::would_block;
  Entry& next = entry(head_++);
  next.header = {.kind = Kind::write, .copy = copy, .offset = offset, .bytes = bytes.size()};
  next.body = nullptr;
  if (bytes.size() > kInlineBytes) {
    next.body = bytes.data();
  } else if (!bytes.empty()) {
    std::memcpy(next.copied.data(), bytes.data(), bytes.size());
  }
  next.mark = last_mark_ = mark;
  return Post::posted;
}

bool OutboundStream::extend_last(std::uint32_t copy, std::uint64_t offset,
                                 std::span<const std::byte> bytes, std::uint64_t mark) noexcept {
  if (head_ == tail_ || head_ <= frozen_) return false;
  Entry& last = entry(head_ - 1);
  FrameHeader& header = last.header;
  const bool goes_on = last.body != nullptr && last.body + header.bytes == bytes.data() &&
                       header.copy == copy && header.offset + header.bytes == offset &&
                       header.bytes + bytes.size() <= kMostJoined;
  if (!goes_on) return false;
  header.bytes += bytes.size();
  last.mark = last_mark_ = mark;
  return true;
}

Post OutboundStream::push_leave() noexcept {
  if (head_ - tail_ == kDepth) return Post::would_block;
  Entry& next = entry(head_++);
  next.header = {.kind = Kind::leave};
  next.body = nullptr;
  next.mark = last_mark_;
  return Post::posted;
}

std::size_t OutboundStream::gather(Pieces& pieces) noexcept {
  std::size_t count = 0;
  std::size_t skip = sent_;
  std::uint64_t number = tail_;
  for (; number != head_ && count + 2 <= pieces.size(); ++number) {
    Entry& one = entry(number);
    const auto body_bytes = static_cast<std::size_t>(one.header.bytes);
    // A copied body lies right behind its header.
    const std::size_t first = sizeof(FrameHeader) + (one.body == nullptr ? body_bytes : 0);
    if (skip < first) pieces[count++] = {reinterpret_cast<std::byte*>(&one) + skip, first - skip};
    if (one.body != nullptr) {
      const std::size_t of_body = skip > first ? skip - first : 0;
      pieces[count++] = {const_cast<std::byte*>(one.body) + of_body, body_bytes - of_body};
    }
    skip = 0;
  }
  frozen_ = number;
  return count;
}

void OutboundStream::sent(std::size_t bytes) noexcept {
  sent_ += bytes;
  while (tail_ != head_) {
    const Entry& oldest = entry(tail_);
    const std::size_t whole = sizeof(FrameHeader) + static_cast<std::size_t>(oldest.header.bytes);
    if (sent_ < whole) break;
    sent_ -= whole;
    completed_ = oldest.mark;
    ++tail_;
  }
  frozen_ = tail_ + (sent_ > 0 ? 1 : 0);
}

std::size_t OutboundStream::take(std::span<std::byte> place) noexcept {
  std::size_t filled = 0;
  Pieces pieces;
  while (filled < place.size() && !empty()) {
    const std::size_t before = filled;
    const std::size_t count = gather(pieces);
    for (std::size_t piece = 0; piece < count && filled < place.size(); ++piece) {
      const std::size_t bytes = std::min(pieces[piece].iov_len, place.size() - filled);
      std::memcpy(place.data() + filled, pieces[piece].iov_base, bytes);
      filled += bytes;
    }
    sent(filled - before);
  }
  return filled;
}

void OutboundStream::clear() noexcept {
  tail_ = frozen_ = head_;
  sent_ = 0;
  completed_ = last_mark_;
}

}  // namespace lockstep::transports::stream
