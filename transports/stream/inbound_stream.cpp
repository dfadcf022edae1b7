#include "transports/stream/inbound_stream.hpp"

#include <algorithm>
#include <cstring>

#include "runtime/assert.hpp"

namespace lockstep::transports::stream {
namespace {

constexpr std::size_t kWord = sizeof(std::uint64_t);

constexpr std::uint64_t whole_words(std::uint64_t bytes) noexcept { return bytes & ~(kWord - 1); }

}  // namespace

InboundStream::State InboundStream::feed(std::span<const std::byte> piece) noexcept {
  while (!piece.empty() && state_ == State::open) {
    if (remaining_ == 0) {
      if (!collect(piece, sizeof(FrameHeader))) break;
      FrameHeader header;
      std::memcpy(&header, carry_.data(), sizeof header);
      begin(header);
    } else if (carried_ > 0 || piece.size() < kWord) {
      if (!collect(piece, kWord)) break;
      std::span<const std::byte> word(carry_.data(), kWord);
      apply_words(word);
    } else {
      apply_words(piece);
    }
  }
  return state_;
}

bool InboundStream::collect(std::span<const std::byte>& piece, std::size_t wanted) noexcept {
  const std::size_t take = std::min(wanted - carried_, piece.size());
  std::memcpy(carry_.data() + carried_, piece.data(), take);
  piece = piece.subspan(take);
  carried_ += take;
  if (carried_ < wanted) return false;
  carried_ = 0;
  return true;
}

void InboundStream::begin(const FrameHeader& header) noexcept {
  if (header.kind == Kind::leave) {
    state_ = State::left;
    return;
  }
  const bool fits =
      header.kind == Kind::write && header.copy < kRegionCopies && header.bytes <= region_bytes_ &&
      header.offset <= region_bytes_ - header.bytes &&
      whole_words(header.offset) == header.offset && whole_words(header.bytes) == header.bytes;
  if (!fits) {
    state_ = State::broken;
    return;
  }
  next_ = region_.data() + header.copy * region_bytes_ + header.offset;
  remaining_ = header.bytes;
}

void InboundStream::apply_words(std::span<const std::byte>& piece) noexcept {
  const auto bytes =
      static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, whole_words(piece.size())));
  std::memcpy(next_, piece.data(), bytes);
  piece = piece.subspan(bytes);
  next_ += bytes;
  remaining_ -= bytes;
}

std::span<std::byte> InboundStream::direct(std::size_t least) const noexcept {
  if (remaining_ < least || carried_ > 0 || state_ != State::open) return {};
  return {next_, static_cast<std::size_t>(remaining_)};
}

void InboundStream::filled(std::size_t bytes) noexcept {
  LOCKSTEP_ASSERT(bytes <= remaining_ && whole_words(bytes) == bytes);
  next_ += bytes;
  remaining_ -= bytes;
}

}  // namespace lockstep::transports::stream
