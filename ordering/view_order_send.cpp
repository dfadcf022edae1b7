#include <algorithm>
#include <limits>

#include "ordering/view_order.hpp"
#include "runtime/assert.hpp"
#include "runtime/word.hpp"

/// How one view's order sends, sleeps and ends; view_order.cpp has how it receives and delivers.
namespace lockstep::ordering::inline LOCKSTEP_VARIANT {

using runtime::load_acquire;
using transports::Post;

// ---- send --------------------------------------------------------------------------------------

bool ViewOrder::send(bool busy) noexcept {
  fill_turns();
  idle_turns_ = busy ? 0 : idle_turns_ + 1;
  refresh_row(delivered_bytes_unpushed_ >= layout_.ring_bytes / 8 ||
              idle_turns_ == kIdleTurnsBeforeSettling);
  return push_all(true);
}

void ViewOrder::fill_turns() noexcept {
  if (issued_ >= turns_to_fill_) return;
  statistics_.nulls_sent += turns_to_fill_ - issued_;
  issued_ = turns_to_fill_;
}

void ViewOrder::refresh_row(bool force_delivered) noexcept {
  const std::uint64_t received = received_to_show();
  if (mutant(Mutant::delivered_not_forced)) force_delivered = false;
  // A frame tells of its own turn and those before it: it needs no row.
  const bool nulls = issued_ != row_.issued && issued_ > frames_end_;
  // Nobody waits for nulls to be held by all, until a frame stands behind them: then the word goes
  // out with that frame, or as its acknowledgement. Over sockets that saves a system call; where a
  // post is a few stores it goes out at once, while nobody waits.
  const bool awaited = posts_are_stores_ || end_of_frames() > row_.received_sequence;
  const bool acknowledges = awaited && received != row_.received_sequence;
  if (nulls || acknowledges || (force_delivered && delivered_bytes_unpushed_ > 0)) {
    row_.received_sequence = received;
    row_.issued = issued_;
    row_.delivered_sequence = turn_.sequence;
    delivered_bytes_unpushed_ = 0;
    ++row_version_;
  }
}

bool ViewOrder::push_all(bool ring_doorbells) noexcept {
  bool posted = false;
  std::size_t next = first_told_;
  for (std::size_t left = peers_.size(); left > 0; --left) {
    Peer& peer = peers_[next];
    if (++next == peers_.size()) next = 0;
    if (!peer.rows_lost) posted |= push(peer);
  }
  if (posted && ring_doorbells && !mutant(Mutant::no_doorbell)) transport_.ring_doorbells();
  return posted;
}

bool ViewOrder::push(Peer& peer) noexcept {
  const bool frames = frames_due(peer);
  const bool row = peer.row_version != row_version_;
  if (!frames && !row) return false;
  if (frames && successor_ != nullptr) return false;
  if (mutant(Mutant::row_before_ring) && row) push_row(peer);
  // Ring before row: a row word must never be visible before the frames it covers. So a link that
  // cannot take all frames now gets no row either.
  bool complete = !frames || push_frames(peer);
  if (complete && row) complete = push_row(peer);
  if (!complete) ++statistics_.stalls_link_full;
  transport_.flush(peer.link);
  return true;
}

bool ViewOrder::push_frames(Peer& peer) noexcept {
  while (peer.posted_position != ring_.head()) {
    // At most two pieces: up to the ring's end, and from its start. Frames do not straddle.
    const std::uint64_t offset = peer.posted_position & (ring_.size() - 1);
    const std::uint64_t bytes =
        std::min(ring_.head() - peer.posted_position, ring_.size() - offset);
    const std::uint64_t end = peer.posted_position + bytes;
    const Post post = transport_.write(peer.link, layout_.copy, kRingOffset + offset,
                                       {ring_.memory() + offset, bytes}, layout_.first_mark + end);
    if (post != Post::posted) return false;
    ++statistics_.posts;
    peer.posted_position = end;
  }
  return true;
}

bool ViewOrder::push_row(Peer& peer) noexcept {
  HotLine row = row_;
  // Frames that went over the link before this one did not arrive, if its peer has come to this
  // view over this one: no turn may look as if it was a null.
  if (peer.frames_lost) row.issued = layout_.first_index;
  const std::span<const std::byte> bytes{reinterpret_cast<const std::byte*>(&row), sizeof row};
  const std::uint64_t mark =
      successor_ == nullptr ? layout_.first_mark + peer.posted_position : mark_on(peer.link);
  const Post post = transport_.write(peer.link, layout_.copy, kRowOffset, bytes, mark);
  if (post != Post::posted) return false;
  ++statistics_.posts;
  ++statistics_.row_pushes;
  peer.row_version = row_version_;
  return true;
}

void ViewOrder::beat() noexcept {
  // What a send step owes goes out with the beat, and its sleeper has not been woken yet.
  const bool owing = owes_posts();
  ++row_.beat;
  ++row_version_;
  push_all(owing || mutant(Mutant::beat_rings_doorbell));
}

bool ViewOrder::owes_posts() const noexcept {
  return std::ranges::any_of(peers_, [this](const Peer& peer) {
    return !peer.rows_lost && successor_ == nullptr &&
           (frames_due(peer) || peer.row_version != row_version_);
  });
}

void ViewOrder::settle() noexcept {
  refresh_row(true);
  push_all(true);
}

bool ViewOrder::anything_new() noexcept {
  if (mutant(Mutant::no_recheck_before_sleep)) return false;
  load_rows();
  FrameRef frame;
  for (const Stream& stream : streams_) {
    if (stream.peer == kNobody) continue;
    if (peers_[stream.peer].issued > stream.received) return true;
    if (stream.reader.read(stream.receive.position, frame) != Read::nothing) return true;
  }
  if (owes_posts()) return true;
  if (stable_sequence() > turn_.sequence) return true;
  return ring_was_full_ && (reclaim() || awaits_completion());
}

bool ViewOrder::awaits_completion() const noexcept {
  return std::ranges::any_of(peers_, [this](const Peer& peer) {
    return !peer.frames_lost && completed_by(peer) < peer.posted_position;
  });
}

void ViewOrder::point_at_table() noexcept {
  ++row_.table;
  ++row_version_;
  push_all(true);
}

// ---- the end of the view -----------------------------------------------------------------------

void ViewOrder::wedge() noexcept {
  wedged_ = true;
  turns_to_fill_ = 0;
  for (Stream& stream : streams_) stream.peer = kNobody;
}

void ViewOrder::deliver_through(std::span<const std::uint64_t> trims, MessageHandler& handler) {
  LOCKSTEP_ASSERT(wedged_ && trims.size() == streams_.size());
  std::uint64_t end = 0;
  for (std::uint32_t i = 0; i < streams_.size(); ++i) {
    LOCKSTEP_ASSERT(trims[i] <= received_of(i));
    end = std::max(end, trims[i]);
  }
  if (is_sender()) streams_[my_stream_].receive.position = ring_.head();
  Delivered delivered;
  for (; turn_.index < end; turns_.advance(turn_)) {
    if (turn_.index >= trims[turn_.stream]) continue;
    Stream& stream = streams_[turn_.stream];
    FrameRef frame;
    Next next = find_next(stream, turn_.index, frame);
    while (next == Next::again) next = find_next(stream, turn_.index, frame);
    if (next == Next::frame) apply_next(stream, frame, turn_, delivered, handler);
  }
  statistics_.frames_delivered += delivered.messages;
  statistics_.payload_bytes_delivered += delivered.payload_bytes;
}

bool ViewOrder::posts_complete(std::uint64_t mark) const noexcept {
  return std::ranges::all_of(peers_, [&](const Peer& peer) {
    return peer.frames_lost || transport_.completed(peer.link) >= mark;
  });
}

std::uint64_t ViewOrder::mark_on(transports::LinkId link) const noexcept {
  for (const Peer& peer : peers_) {
    if (peer.link != link) continue;
    const std::uint64_t newer = successor_ != nullptr ? successor_->mark_on(link) : 0;
    return std::max(layout_.first_mark + peer.posted_position, newer);
  }
  return 0;
}

void ViewOrder::lose(std::uint32_t rank) noexcept {
  for (Peer& peer : peers_) {
    if (peer.rank == rank) peer.rows_lost = peer.frames_lost = true;
  }
}

void ViewOrder::keep_frames(std::uint32_t rank) {
  kept_.resize(streams_.size());
  for (std::uint32_t i = 0; i < streams_.size(); ++i) {
    Stream& stream = streams_[i];
    if (stream.rank != rank || i == my_stream_) continue;
    stream.peer = kNobody;
    if (!kept_[i].empty()) continue;
    kept_[i].resize(layout_.ring_bytes / sizeof(KeptLine));
    stream.reader.copy(stream.deliver.position, stream.receive.position,
                       std::as_writable_bytes(std::span(kept_[i])));
  }
}

void ViewOrder::unlink(std::uint32_t rank) noexcept {
  for (Peer& peer : peers_) {
    if (peer.rank != rank) continue;
    const std::span<std::byte> inbound = transport_.inbound(peer.link, layout_.copy);
    peer.row = reinterpret_cast<const HotLine*>(inbound.data() + kRowOffset);
  }
}

void ViewOrder::relink(std::uint32_t rank) noexcept {
  unlink(rank);
  for (Peer& peer : peers_) {
    if (peer.rank != rank) continue;
    peer.rows_lost = false;
    peer.row_version = 0;
  }
}

std::uint64_t ViewOrder::beat_of(std::uint32_t rank) const noexcept {
  for (const Peer& peer : peers_) {
    if (peer.rank == rank) return load_acquire(peer.row->beat);
  }
  return row_.beat;
}

}  // namespace lockstep::ordering::inline LOCKSTEP_VARIANT
