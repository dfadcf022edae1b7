#include "transports/packet/receive_window.hpp"

#include <cstring>

#include "runtime/assert.hpp"
#include "transports/packet/mutant.hpp"

namespace lockstep::transports::packet {

ReceiveWindow::ReceiveWindow(std::uint32_t credit, std::size_t packet_bytes)
    : credit_(credit),
      body_bytes_(packet_bytes - kMostOverheadBytes),
      memory_(std::make_unique<std::byte[]>(credit * body_bytes_)) {
  LOCKSTEP_ASSERT(credit >= 1 && credit <= kMostOutstanding);
}

ReceiveWindow::Place ReceiveWindow::place_of(std::uint64_t sequence) const noexcept {
  if (sequence == received_) return Place::next;
  if (sequence < received_) return Place::past;
  const std::uint32_t most = mutant(Mutant::hold_beyond_window) ? kMostOutstanding : credit_;
  if (sequence - received_ >= most) return Place::beyond;
  return held_bytes_[sequence % kMostOutstanding] != 0 ? Place::past : Place::early;
}

void ReceiveWindow::hold(std::uint64_t sequence, std::span<const std::byte> bytes) noexcept {
  if (mutant(Mutant::forget_held)) return;
  if (bytes.empty() || bytes.size() > body_bytes_) return;  // a longer one than was agreed on
  std::memcpy(body(sequence), bytes.data(), bytes.size());
  held_bytes_[sequence % kMostOutstanding] = static_cast<std::uint32_t>(bytes.size());
  ++held_;
  if (sequence >= furthest_) furthest_ = sequence + 1;
}

std::span<const std::byte> ReceiveWindow::held() noexcept {
  if (held_ == 0) return {};
  std::uint32_t& bytes = held_bytes_[received_ % kMostOutstanding];
  if (bytes == 0) return {};
  const std::span<const std::byte> found(body(received_), bytes);
  bytes = 0;
  --held_;
  return found;
}

std::uint8_t ReceiveWindow::tell_ahead(AheadWords& words) const noexcept {
  if (held_ == 0) return 0;
  words = {};
  std::size_t used = 0;
  for (std::uint64_t sequence = received_ + 1; sequence < furthest_; ++sequence) {
    if (held_bytes_[sequence % kMostOutstanding] == 0) continue;
    const std::uint64_t bit = sequence - received_ - 1;
    words[bit / 64] |= std::uint64_t{1} << bit % 64;
    used = bit / 64 + 1;
  }
  return static_cast<std::uint8_t>(used);
}

}  // namespace lockstep::transports::packet
