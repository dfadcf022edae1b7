#include "transports/packet/packet_link.hpp"

#include <algorithm>
#include <cstring>

#include "transports/packet/mutant.hpp"

namespace lockstep::transports::packet {
namespace {

/// So many packets are acknowledged at once; fewer wait for something that carries the news.
constexpr std::uint32_t kMostOwed = 16;
/// A link is not given up before so many probes, or packets that the wire did not take: a member
/// that was stopped itself has had no chance to hear.
constexpr std::uint32_t kLeastAttempts = 5;
/// At most so many packets at once while the window is narrowed.
constexpr std::uint64_t kBurst = 4;

}  // namespace

PacketLink::PacketLink(const PacketLinkOptions& options, std::span<std::byte> region,
                       const LinkKeys* keys)
    : options_(options),
      in_(region, options.region_bytes),
      window_(options.peer_credit, options.packet_bytes),
      arrived_(options.my_credit, options.peer_packet_bytes),
      congestion_(options.peer_credit) {
  if (keys == nullptr) return;
  // A place for each packet, and one for an acknowledgement.
  sealer_.emplace(*keys, options.peer_credit + 1, options.packet_bytes);
  opener_.emplace(*keys, options.peer_packet_bytes);
}

Post PacketLink::push(std::uint32_t copy, std::uint64_t offset, std::span<const std::byte> bytes,
                      std::uint64_t mark) noexcept {
  return down_ ? Post::down : out_.push(copy, offset, bytes, mark);
}

void PacketLink::fail(DownReason reason) noexcept {
  if (down_) return;
  down_ = reason;
  out_.clear();
  if (!deaf()) return;
  owed_ = 0;
  owed_until_ns_ = kNever;
}

bool PacketLink::deaf() const noexcept {
  if (!down_ || mutant(Mutant::hear_when_down)) return false;
  return *down_ != DownReason::peer_left && *down_ != DownReason::peer_died;
}

// ---- what arrives ------------------------------------------------------------------------------

bool PacketLink::receive(std::span<const std::byte> packet, std::uint64_t now_ns) noexcept {
  if (deaf()) {
    ++counts_.rejected;
    return false;
  }
  const auto parsed = opener_ ? opener_->open(packet) : parse(packet, options_.theirs);
  if (!parsed || packet.size() > options_.peer_packet_bytes || !window_.could_say(*parsed)) {
    ++counts_.rejected;
    return false;
  }
  const Head& head = parsed->head;
  ReplayWindow& come = head.kind == Kind::data ? data_come_ : acknowledgements_come_;
  if (come.has_come(head.transmission)) {
    ++counts_.received_again;
    return false;
  }
  come.come(head.transmission);
  heed_acknowledgement(*parsed, now_ns);
  if (parsed->head.kind == Kind::data) take_body(*parsed, now_ns);
  return true;
}

void PacketLink::heed_acknowledgement(const Parsed& packet, std::uint64_t now_ns) noexcept {
  const auto progress = window_.acknowledge(packet, now_ns);
  if (progress.newest_is_new) {
    round_trip_.take(progress.round_trip_ns);
    const std::uint64_t reordering_ns = round_trip_.smoothed_ns() / 4;
    const std::uint64_t lost = window_.find_lost(reordering_ns);
    if (lost != 0) congestion_.lost(lost, window_.last_transmission());
  }
  if (progress.packets == 0) return;
  congestion_.acknowledged(progress.packets);
  progress_ns_ = now_ns;
  probes_ = attempts_ = 0;
}

void PacketLink::take_body(const Parsed& packet, std::uint64_t now_ns) noexcept {
  const Head& head = packet.head;
  auto place = arrived_.place_of(head.sequence);
  if (mutant(Mutant::apply_out_of_order) && place == ReceiveWindow::Place::early) {
    place = ReceiveWindow::Place::next;
  }
  if (mutant(Mutant::apply_twice) && place == ReceiveWindow::Place::past) apply(packet.body);
  if (place == ReceiveWindow::Place::beyond) {
    ++counts_.rejected;
    return;
  }
  newest_seen_ = std::max(newest_seen_, head.transmission);
  if (place == ReceiveWindow::Place::next) {
    ++counts_.received;
    apply(packet.body);
    for (auto body = arrived_.held(); !body.empty(); body = arrived_.held()) apply(body);
    ++owed_;
    owe(now_ns + round_trip_.acknowledge_within_ns());
    return;
  }
  // The peer is to learn at once what is missing, or that this one need not be sent again.
  if (place == ReceiveWindow::Place::early) {
    ++counts_.received;
    arrived_.hold(head.sequence, packet.body);
  } else {
    ++counts_.received_again;
  }
  owe(now_ns);
}

void PacketLink::apply(std::span<const std::byte> body) noexcept {
  arrived_.advance();
  const auto state = in_.feed(body);
  if (state == stream::InboundStream::State::left) fail(DownReason::peer_left);
  if (state == stream::InboundStream::State::broken) fail(DownReason::protocol_error);
}

void PacketLink::owe(std::uint64_t until_ns) noexcept {
  owed_until_ns_ = std::min(owed_until_ns_, until_ns);
}

// ---- what is sent ------------------------------------------------------------------------------

void PacketLink::send(std::uint64_t now_ns, Wire& wire, bool idle) noexcept {
  retry_ns_ = kNever;
  if (sealer_) sealer_->renew_if_due(window_.newest_seen(), window_.last_transmission());
  if (!down_) {
    look_at_silence(now_ns);
    if (!transmit_due(now_ns, wire)) {
      ++attempts_;
      retry_ns_ = now_ns + round_trip_.acknowledge_within_ns();
    }
  }
  // On a link that is down as well: a peer that leaves waits for it.
  const bool many = owed_ >= kMostOwed && !mutant(Mutant::acknowledge_by_time_only);
  const bool now = idle || many || now_ns >= owed_until_ns_;
  if (owed_until_ns_ != kNever && now) acknowledge_alone(now_ns, wire);
}

std::uint64_t PacketLink::probe_ns() const noexcept {
  if (mutant(Mutant::never_probe)) return kNever;
  return std::max(window_.oldest_sent_ns(), progress_ns_) + round_trip_.timeout_ns(probes_);
}

void PacketLink::look_at_silence(std::uint64_t now_ns) noexcept {
  if (window_.empty()) return;
  const std::uint64_t without_progress_ns = now_ns - std::min(now_ns, progress_ns_);
  if (attempts_ >= kLeastAttempts && without_progress_ns >= options_.give_up_ns &&
      !mutant(Mutant::never_give_up)) {
    fail(DownReason::unreachable);
    return;
  }
  if (window_.on_their_way() == 0 || now_ns < probe_ns()) return;
  ++probes_;
  ++attempts_;
  window_.send_oldest_again();
}

bool PacketLink::has_room() const noexcept {
  return !window_.full() && window_.on_their_way() < congestion_.window();
}

bool PacketLink::transmit_due(std::uint64_t now_ns, Wire& wire) noexcept {
  const std::uint64_t gap_ns = congestion_.gap_ns(round_trip_.smoothed_ns());
  if (gap_ns != 0) {
    next_send_ns_ = std::max(next_send_ns_, now_ns - std::min(now_ns, kBurst * gap_ns));
  }
  while (true) {
    if (gap_ns != 0 && next_send_ns_ > now_ns) return true;
    std::uint64_t sequence = 0;
    if (!window_.first_due(sequence)) {
      if (out_.empty() || !has_room()) return true;
      fill(now_ns);
      continue;
    }
    if (!transmit(sequence, now_ns, wire)) return false;
    next_send_ns_ += gap_ns;
  }
}

void PacketLink::fill(std::uint64_t now_ns) noexcept {
  if (window_.empty()) progress_ns_ = now_ns;
  window_.add(out_.take(window_.next_body()));
}

bool PacketLink::transmit(std::uint64_t sequence, std::uint64_t now_ns, Wire& wire) noexcept {
  Head head{.kind = Kind::data,
            .transmission = window_.transmitted(sequence, now_ns),
            .sequence = sequence,
            .body_bytes = window_.body_bytes(sequence)};
  const auto image = window_.image(sequence);
  if (!wire.send(complete(image, head, sequence % options_.peer_credit))) {
    window_.not_transmitted(sequence);
    return false;
  }
  const bool again = window_.was_sent_again(sequence);
  ++(again ? counts_.sent_again : counts_.sent);
  owed_ = 0;
  owed_until_ns_ = kNever;
  return true;
}

void PacketLink::acknowledge_alone(std::uint64_t now_ns, Wire& wire) noexcept {
  if (mutant(Mutant::never_acknowledge_alone)) return;
  const Head head{.kind = Kind::acknowledgement, .transmission = ++acknowledgements_};
  if (!wire.send(complete(alone_, head, options_.peer_credit))) {
    owed_until_ns_ = now_ns + round_trip_.acknowledge_within_ns();
    return;
  }
  ++counts_.acknowledgements_sent;
  owed_ = 0;
  owed_until_ns_ = kNever;
}

/// Writes the head, what was received, and the seal; the packet to send. The body is there.
std::span<const std::byte> PacketLink::complete(std::span<std::byte> image, Head head,
                                                std::uint64_t place) noexcept {
  AheadWords ahead;
  head.sender = options_.my_rank;
  head.received = arrived_.received();
  if (mutant(Mutant::acknowledge_the_missing) && newest_seen_ > 0) ++head.received;
  head.newest = newest_seen_;
  head.ahead_words = arrived_.tell_ahead(ahead);
  const std::size_t ahead_at = sizeof head + head.body_bytes;
  const std::size_t ahead_bytes = head.ahead_words * sizeof(std::uint64_t);
  std::memcpy(image.data(), &head, sizeof head);
  std::memcpy(image.data() + ahead_at, ahead.data(), ahead_bytes);
  image = image.first(ahead_at + ahead_bytes);
  if (sealer_) return sealer_->seal(image, place);
  seal(image, options_.mine);
  return image;
}

std::uint64_t PacketLink::deadline_ns() const noexcept {
  std::uint64_t deadline = std::min(owed_until_ns_, retry_ns_);
  if (down_) return deadline;
  if (!window_.empty() && window_.on_their_way() > 0) {
    deadline = std::min(deadline, probe_ns());
  }
  if (window_.has_due() || (!out_.empty() && has_room())) {
    // A wire that took nothing is asked again then, and not before.
    deadline = std::min(deadline, retry_ns_ == kNever ? next_send_ns_ : retry_ns_);
  }
  return deadline;
}

}  // namespace lockstep::transports::packet
