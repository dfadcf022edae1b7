#include "transports/packet/send_window.hpp"

#include <algorithm>
#include <utility>

#include "runtime/assert.hpp"
#include "transports/packet/mutant.hpp"

namespace lockstep::transports::packet {

SendWindow::SendWindow(std::uint32_t credit, std::size_t packet_bytes)
    : credit_(mutant(Mutant::overrun_the_credit) ? kMostOutstanding : credit),
      packet_bytes_(packet_bytes),
      memory_(std::make_unique<std::byte[]>(credit_ * packet_bytes)) {
  LOCKSTEP_ASSERT(credit >= 1 && credit <= kMostOutstanding);
  LOCKSTEP_ASSERT(packet_bytes >= kLeastPacketBytes && packet_bytes <= kMostPacketBytes);
}

std::span<std::byte> SendWindow::image(std::uint64_t sequence) noexcept {
  const std::uint64_t places = mutant(Mutant::reuse_unacknowledged) ? credit_ / 2 + 1 : credit_;
  return {memory_.get() + sequence % places * packet_bytes_, packet_bytes_};
}

std::span<std::byte> SendWindow::next_body() noexcept {
  LOCKSTEP_ASSERT(!full());
  return image(next_).subspan(sizeof(Head), packet_bytes_ - kMostOverheadBytes);
}

void SendWindow::add(std::size_t bytes) noexcept {
  slot(next_) = {.body_bytes = static_cast<std::uint32_t>(bytes), .due = true};
  if (due_++ == 0) due_from_ = next_;
  ++next_;
}

bool SendWindow::first_due(std::uint64_t& sequence) noexcept {
  if (due_ == 0) return false;
  due_from_ = std::max(due_from_, oldest_);
  while (!slot(due_from_).due) ++due_from_;
  LOCKSTEP_ASSERT(due_from_ < next_);
  sequence = due_from_;
  return true;
}

void SendWindow::mark_due(Slot& one) noexcept {
  if (one.due) return;
  one.due = true;
  ++due_;
  --on_their_way_;
  due_from_ = oldest_;
}

std::uint64_t SendWindow::transmitted(std::uint64_t sequence, std::uint64_t now_ns) noexcept {
  Slot& one = slot(sequence);
  LOCKSTEP_ASSERT(one.due);
  one.due = false;
  --due_;
  ++on_their_way_;
  one.again = std::exchange(one.sent, true);
  one.transmission = ++transmissions_;
  one.sent_ns = now_ns;
  sent_[transmissions_ % kRemembered] = {.transmission = transmissions_, .ns = now_ns};
  return transmissions_;
}

void SendWindow::not_transmitted(std::uint64_t sequence) noexcept {
  // The number stays used: what has been numbered twice could be mistaken.
  Slot& one = slot(sequence);
  one.sent = one.again;
  mark_due(one);
}

bool SendWindow::could_say(const Parsed& packet) const noexcept {
  if (mutant(Mutant::trust_any_acknowledgement)) return true;
  const Head& head = packet.head;
  if (head.received > next_ || head.newest > transmissions_) return false;
  for (std::size_t word = 0; word < head.ahead_words; ++word) {
    if (packet.ahead[word] == 0) continue;
    const auto highest = 63U - static_cast<unsigned>(std::countl_zero(packet.ahead[word]));
    if (head.received + 1 + 64 * word + highest >= next_) return false;
  }
  return true;
}

bool SendWindow::take(Slot& one) noexcept {
  if (one.has) return false;
  one.has = true;
  if (one.due) {
    one.due = false;
    --due_;
  } else {
    --on_their_way_;
  }
  return true;
}

SendWindow::Progress SendWindow::acknowledge(const Parsed& packet, std::uint64_t now_ns) noexcept {
  const Head& head = packet.head;
  Progress progress;
  for (std::size_t word = 0; word < head.ahead_words; ++word) {
    for (std::uint64_t bits = packet.ahead[word]; bits != 0; bits &= bits - 1) {
      const auto bit = static_cast<unsigned>(std::countr_zero(bits));
      const std::uint64_t sequence = head.received + 1 + 64 * word + bit;
      if (sequence >= oldest_ && sequence < next_) progress.packets += take(slot(sequence)) ? 1 : 0;
    }
  }
  for (; oldest_ < std::min(head.received, next_); ++oldest_) {
    progress.packets += take(slot(oldest_)) ? 1 : 0;
  }
  // A peer that went mad may have told of these without ever counting them as received.
  while (oldest_ < next_ && slot(oldest_).has) ++oldest_;
  const Sent& sent = sent_[head.newest % kRemembered];
  if (head.newest > newest_) {
    newest_ = head.newest;
    if (sent.transmission == head.newest) {
      newest_sent_ns_ = sent.ns;
      progress.newest_is_new = true;
      progress.round_trip_ns = now_ns - std::min(now_ns, sent.ns);
    }
  }
  return progress;
}

std::uint64_t SendWindow::find_lost(std::uint64_t reordering_ns) noexcept {
  std::uint64_t newest_lost = 0;
  if (mutant(Mutant::never_ask_again)) return 0;
  for (std::uint64_t sequence = oldest_; sequence < next_; ++sequence) {
    Slot& one = slot(sequence);
    if (one.has || one.due) continue;
    const bool lost_with_others = newest_lost != 0 && mutant(Mutant::resend_everything);
    if (one.transmission > newest_ && !lost_with_others) {
      // All behind it were sent after it, for the first time or again.
      if (!one.again) break;
      continue;
    }
    const bool lost = one.transmission + kReordering <= newest_ ||
                      one.sent_ns + reordering_ns < newest_sent_ns_ || lost_with_others;
    if (!lost) continue;
    newest_lost = std::max(newest_lost, one.transmission);
    mark_due(one);
  }
  return newest_lost;
}

}  // namespace lockstep::transports::packet
