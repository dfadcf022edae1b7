#include "ordering/view_order.hpp"

#include <algorithm>
#include <limits>

#include "runtime/assert.hpp"

namespace lockstep::ordering::inline LOCKSTEP_VARIANT {

using runtime::load_acquire;
using transports::Post;
using transports::WriteOrder;

namespace {

constexpr std::uint64_t kAll = std::numeric_limits<std::uint64_t>::max();

Trust trust_for(WriteOrder order) noexcept {
  switch (order) {
    case WriteOrder::first_word_last:
      return Trust::marker_last;
    case WriteOrder::ascending:
      return Trust::tail_last;
    case WriteOrder::unordered:
      break;
  }
  return Trust::checksum;
}

bool may_send(const ViewLayout& layout, std::uint32_t rank) {
  return std::ranges::find(layout.senders, rank) != layout.senders.end();
}

std::span<std::byte> own_ring(transports::Transport& transport, const ViewLayout& layout) {
  if (!may_send(layout, layout.my_rank)) return {};
  const std::size_t offset = layout.copy * layout.ring_bytes;
  LOCKSTEP_ASSERT(transport.source().size() >= offset + layout.ring_bytes);
  return transport.source().subspan(offset, layout.ring_bytes);
}

}  // namespace

ViewOrder::ViewOrder(transports::Transport& transport, const ViewLayout& layout,
                     std::vector<std::uint64_t> tokens)
    : transport_(transport),
      posts_are_stores_(transport.posts_are_stores()),
      layout_(layout),
      turns_(static_cast<std::uint32_t>(layout.senders.size())),
      ring_(own_ring(transport, layout), layout.nonces[layout.my_rank],
            transport.write_order() == WriteOrder::unordered),
      tokens_(std::move(tokens)) {
  LOCKSTEP_ASSERT(!layout.senders.empty());
  LOCKSTEP_ASSERT(layout.nonces.size() == layout.members);
  LOCKSTEP_ASSERT(layout.links.empty() || layout.links.size() == layout.members);
  LOCKSTEP_ASSERT(layout.members == 1 ||
                  transport.region_bytes() >= region_bytes(layout.ring_bytes));
  for (std::uint32_t rank = 0; rank < layout.members; ++rank) {
    const bool mine = rank == layout.my_rank;
    std::span<const std::byte> ring =
        ring_.size() > 0 ? own_ring(transport, layout) : std::span<std::byte>{};
    Stream stream;
    Trust trust = Trust::marker_last;
    if (!mine) {
      const transports::LinkId link = layout.link_of(rank);
      const std::span<std::byte> inbound = transport.inbound(link, layout.copy);
      const auto* row = reinterpret_cast<const HotLine*>(inbound.data() + kRowOffset);
      stream.peer = static_cast<std::uint32_t>(peers_.size());
      ring = inbound.subspan(kRingOffset, layout.ring_bytes);
      const bool by_my_own = mutant(Mutant::own_write_order);
      trust = trust_for(by_my_own ? transport.write_order() : transport.read_order(link));
      const bool holds_all = layout.senders.size() == 1 && may_send(layout, rank);
      peers_.push_back({.rank = rank, .link = link, .row = row, .holds_all = holds_all});
    }
    if (!may_send(layout, rank)) continue;
    if (mine) my_stream_ = static_cast<std::uint32_t>(streams_.size());
    stream.reader = RingReader(ring, layout.nonces[rank], trust);
    stream.rank = rank;
    stream.received = layout.first_index;
    stream.receive.frames_end = stream.deliver.frames_end = layout.first_index;
    streams_.push_back(stream);
  }
  issued_ = frames_end_ = layout.first_index;
  turn_ = {.sequence = turns_.sequence(layout.first_index, 0), .index = layout.first_index};
  last_timestamp_ns_ = layout.timestamp_ns;
  row_.issued = issued_;
  row_.received_sequence = received_to_show();
  row_.delivered_sequence = turn_.sequence;
  row_version_ = 1;
  if (!is_sender()) return;
  tokens_.resize(layout.ring_bytes / kFrameAlignment);
  token_mask_ = tokens_.size() - 1;
  claim_limit_ = max_payload_bytes() + 1;
}

// ---- receive -----------------------------------------------------------------------------------

bool ViewOrder::receive() noexcept {
  bool progress = false;
  // Rows before rings: the frames that `issued` covers were posted before it, so what the sweep
  // then does not find among them are nulls. The other way round, frames become nulls.
  load_rows();
  for (Stream& stream : streams_) {
    if (stream.peer == kNobody) continue;
    const Peer& peer = peers_[stream.peer];
    const std::uint64_t before = stream.received;
    race();
    sweep(stream);
    race();
    std::uint64_t issued = peer.issued;
    if (mutant(Mutant::ring_before_issued)) issued = load_acquire(peer.row->issued);
    if (stream.received < issued) stream.received = issued;
    if (mutant(Mutant::null_for_null) && is_sender() && stream.received > 0) {
      turns_to_fill_ = std::max(turns_to_fill_, stream.received + 1);
    }
    progress |= stream.received != before;
  }
  return progress;
}

void ViewOrder::load_rows() noexcept {
  std::uint64_t tables = 0;
  for (Peer& peer : peers_) {
    tables += load_acquire(peer.row->table);
    peer.received_sequence = received_by(peer);
    peer.issued = load_acquire(peer.row->issued);
  }
  tables_ = tables;
}

void ViewOrder::sweep(Stream& stream) noexcept {
  stream.reader.with_trust([&](auto trust) { sweep_trusting<trust>(stream); });
}

template <Trust kTrust>
void ViewOrder::sweep_trusting(Stream& stream) noexcept {
  FrameRef frame;
  Read read = stream.reader.read<kTrust>(stream.receive.position, frame);
  if (read == Read::nothing) [[likely]] {
    return;
  }
  // In locals: each look at a peer's memory would have members loaded again.
  const RingReader reader = stream.reader;
  Cursor cursor = stream.receive;
  std::uint64_t received = stream.received;
  // A correct sender waits for us: it is less than a lap ahead (and some pads). Without this a
  // hostile one could write as fast as we read, and keep us sweeping.
  const std::uint64_t farthest = stream.deliver.position + 2 * layout_.ring_bytes;
  bool any = false;
  for (; read == Read::frame; read = reader.read<kTrust>(cursor.position, frame)) {
    const std::uint64_t index = cursor.frames_end + frame.nulls_before;
    if (frame.next_position > farthest) [[unlikely]] {
      read = Read::malformed;
      break;
    }
    cursor.position = frame.next_position;
    cursor.frames_end = index;
    if (frame.pad()) [[unlikely]] {
      continue;
    }
    if (index < received) [[unlikely]] {  // a turn that was already a null
      read = Read::malformed;
      break;
    }
    cursor.frames_end = received = index + 1;
    any = true;
  }
  stream.receive = cursor;
  stream.received = received;
  if (read == Read::malformed) reject(stream.rank);
  if (!any) return;
  first_told_ = stream.peer;
  const auto other = static_cast<std::uint32_t>(&stream - streams_.data());
  frames_before_ = std::max(frames_before_, turns_.sequence(received - 1, other) + 1);
  if (is_sender() && !mutant(Mutant::no_nulls)) {
    // Turns before the last frame are turns before those in front of it, too. Who is silent also
    // passes the turns before the frame that its sender may publish next: else that one would wait
    // for this null to go around first.
    const std::uint64_t awaited = silent() ? received : received - 1;
    turns_to_fill_ = std::max(turns_to_fill_, RoundRobin::turns_before(awaited, other, my_stream_));
  }
}

[[gnu::cold, gnu::noinline]] void ViewOrder::reject(std::uint32_t rank) noexcept {
  // Counted once per offender: a malformed frame stays where it is and would be seen every turn.
  if (offender_ == rank) return;
  ++statistics_.frames_rejected;
  offender_ = rank;
}

bool ViewOrder::take_offender(std::uint32_t& rank) noexcept {
  if (offender_ == kNobody) return false;
  rank = offender_;
  for (Stream& stream : streams_) {
    if (stream.rank == rank) stream.peer = kNobody;  // never swept again
  }
  offender_ = kNobody;
  return true;
}

// ---- deliver -----------------------------------------------------------------------------------

std::uint64_t ViewOrder::received_of_others() const noexcept {
  std::uint64_t least = kAll;
  for (std::uint32_t i = 0; i < streams_.size(); ++i) {
    if (i != my_stream_) least = std::min(least, turns_.sequence(streams_[i].received, i));
  }
  return least;
}

std::uint64_t ViewOrder::received_to_show() const noexcept {
  const std::uint64_t received = received_of_others();
  if (received != kAll || mutant(Mutant::show_more_than_held)) return received;
  return turns_.sequence(layout_.first_index, 0);
}

std::uint64_t ViewOrder::received_by(const Peer& peer) noexcept {
  return peer.holds_all ? kAll : load_acquire(peer.row->received_sequence);
}

std::uint64_t ViewOrder::stable_sequence() const noexcept {
  // Everybody holds his own stream as far as I have seen it, and I count no further.
  std::uint64_t least = received_of_others();
  if (mutant(Mutant::stable_without_mine)) least = kAll;
  if (is_sender()) least = std::min(least, turns_.sequence(issued_, my_stream_));
  if (mutant(Mutant::deliver_unstable)) return least;
  if (mutant(Mutant::stable_by_majority)) {
    std::vector<std::uint64_t> words{least};
    for (const Peer& peer : peers_) words.push_back(peer.received_sequence);
    std::ranges::sort(words, std::greater{});
    return std::min(least, words[words.size() / 2]);
  }
  for (const Peer& peer : peers_) {
    least = std::min(least, peer.received_sequence);
  }
  return least;
}

bool ViewOrder::deliver(MessageHandler& handler) {
  const std::uint64_t stable = stable_sequence();
  if (mutant(Mutant::sequence_by_arrival)) return deliver_by_arrival(stable, handler);
  if (turn_.sequence >= stable) return false;
  if (is_sender()) streams_[my_stream_].receive.position = ring_.head();
  // In locals, since `apply` may do anything, so members would be loaded and stored around it. It
  // may also claim and ask who is slow; both then see the turn this call began with: conservative.
  Turn turn = turn_;
  Delivered delivered;
  const std::uint64_t end = std::min(stable, turn.sequence + kTurnBatch);
  while (turn.sequence < end) {
    Stream& stream = streams_[turn.stream];
    FrameRef frame;
    const Next next = find_next(stream, turn.index, frame);
    if (next == Next::again) [[unlikely]] {
      continue;
    }
    if (next == Next::frame) {
      if (delivered.messages == kDeliverBatch) break;
      apply_next(stream, frame, turn, delivered, handler);
    }
    turns_.advance(turn);
  }
  turn_ = turn;
  statistics_.frames_delivered += delivered.messages;
  statistics_.payload_bytes_delivered += delivered.payload_bytes;
  delivered_bytes_unpushed_ += delivered.ring_bytes;
  return true;
}

ViewOrder::Next ViewOrder::find_next(Stream& stream, std::uint64_t index,
                                     FrameRef& frame) noexcept {
  if (stream.deliver.position >= stream.receive.position) return Next::null;
  if (!stream.reader.reread(stream.deliver.position, frame)) [[unlikely]] {
    reject(stream.rank);
    return Next::null;
  }
  const std::uint64_t next_index = stream.deliver.frames_end + frame.nulls_before;
  if (frame.pad()) [[unlikely]] {
    stream.deliver = {.position = frame.next_position, .frames_end = next_index};
    return Next::again;
  }
  if (next_index < index) [[unlikely]] {
    reject(stream.rank);
  }
  return next_index == index ? Next::frame : Next::null;
}

void ViewOrder::apply_next(Stream& stream, const FrameRef& frame, const Turn& turn,
                           Delivered& delivered, MessageHandler& handler) {
  const bool mine = stream.rank == layout_.my_rank;
  last_timestamp_ns_ = std::max(last_timestamp_ns_, frame.timestamp_ns);
  const Message message{
      .payload = {frame.payload, frame.length},
      .sequence = turn.sequence,
      .timestamp_ns = last_timestamp_ns_,
      .token = mine ? tokens_[frames_applied_++ & token_mask_] : 0,
      .sender = stream.rank,
      .mine = mine,
  };
  ++delivered.messages;
  delivered.payload_bytes += frame.length;
  delivered.ring_bytes += frame.next_position - stream.deliver.position;
  stream.deliver = {.position = frame.next_position, .frames_end = turn.index + 1};
  handler.apply(message);
}

bool ViewOrder::deliver_by_arrival(std::uint64_t stable, MessageHandler& handler) {
  const bool progress = turn_.sequence < stable;
  if (is_sender()) streams_[my_stream_].receive.position = ring_.head();
  Delivered delivered;
  for (std::uint32_t i = 0; i < streams_.size(); ++i) {
    for (Turn turn{.sequence = i, .index = 0, .stream = i}; turn.sequence < stable;
         turn.sequence += streams_.size(), ++turn.index) {
      FrameRef frame;
      Next next = find_next(streams_[i], turn.index, frame);
      while (next == Next::again) next = find_next(streams_[i], turn.index, frame);
      if (next == Next::frame) {
        apply_next(streams_[i], frame, turn, delivered, handler);
      }
    }
  }
  turn_ = {.sequence = stable,
           .index = stable / streams_.size(),
           .stream = static_cast<std::uint32_t>(stable % streams_.size())};
  return progress;
}

// ---- publish -----------------------------------------------------------------------------------

std::byte* ViewOrder::claim(std::size_t bytes) noexcept {
  LOCKSTEP_ASSERT(bytes < claim_limit_);
  std::byte* const payload = try_claim(bytes);
  return payload != nullptr ? payload : claim_reclaimed(bytes);
}

[[gnu::noinline]] std::byte* ViewOrder::claim_reclaimed(std::size_t bytes) noexcept {
  std::byte* const payload = reclaim() ? try_claim(bytes) : nullptr;
  ring_was_full_ = payload == nullptr;
  if (ring_was_full_) ++statistics_.stalls_ring_full;
  return payload;
}

std::byte* ViewOrder::try_claim(std::size_t bytes) noexcept {
  while (issued_ - frames_end_ > kMaxNullRun) [[unlikely]] {
    if (!ring_.pass_over_nulls()) return nullptr;
    frames_end_ += kMaxNullRun;
  }
  return ring_.claim(bytes);
}

void ViewOrder::publish(std::uint64_t token) noexcept {
  tokens_[frames_published_++ & token_mask_] = token;
  const std::uint64_t index = issued_++;
  const auto nulls_before = static_cast<std::uint32_t>(index - frames_end_);
  frames_end_ = issued_;
  ring_.publish(wall_ns_, nulls_before, turns_.sequence(index, my_stream_));
}

OrderStatistics ViewOrder::statistics() const noexcept {
  OrderStatistics all = statistics_;
  all.frames_sent = frames_published_;
  all.ring_bytes_sent = ring_.head();
  return all;
}

bool ViewOrder::reclaim() noexcept {
  std::uint64_t completed = ring_.head();
  if (!mutant(Mutant::reclaim_incomplete)) {
    for (const Peer& peer : peers_) {
      if (!peer.frames_lost) completed = std::min(completed, completed_by(peer));
    }
  }
  const std::uint64_t tail = ring_.tail();
  ring_.reclaim(mutant(Mutant::reclaim_undelivered) ? turn_.sequence : delivered_by_all(),
                completed);
  return ring_.tail() != tail;
}

std::uint64_t ViewOrder::completed_by(const Peer& peer) const noexcept {
  const std::uint64_t mark = transport_.completed(peer.link);
  return mark > layout_.first_mark ? mark - layout_.first_mark : 0;
}

std::uint64_t ViewOrder::delivered_by_all() const noexcept {
  std::uint64_t least = turn_.sequence;
  for (const Peer& peer : peers_) {
    least = std::min(least, load_acquire(peer.row->delivered_sequence));
  }
  return least;
}

std::uint32_t ViewOrder::slowest_rank() const noexcept {
  std::uint32_t slowest = layout_.my_rank;
  std::uint64_t least = turn_.sequence;
  for (const Peer& peer : peers_) {
    const std::uint64_t delivered = load_acquire(peer.row->delivered_sequence);
    if (delivered < least) {
      least = delivered;
      slowest = peer.rank;
    }
  }
  // All delivered as much as I, and I all that is stable: then it is who keeps the rest unstable.
  const bool all_wait = slowest == layout_.my_rank && turn_.sequence >= stable_sequence();
  return all_wait ? rank_least_stable() : slowest;
}

std::uint32_t ViewOrder::rank_least_stable() const noexcept {
  std::uint32_t rank = layout_.my_rank;
  std::uint64_t least = kAll;
  // Streams first: who has not issued its turns keeps the others from receiving past them, too.
  for (std::uint32_t i = 0; i < streams_.size(); ++i) {
    const std::uint64_t received = turns_.sequence(streams_[i].received, i);
    if (i != my_stream_ && received < least) {
      least = received;
      rank = streams_[i].rank;
    }
  }
  for (const Peer& peer : peers_) {
    if (peer.received_sequence < least) {
      least = peer.received_sequence;
      rank = peer.rank;
    }
  }
  return rank;
}

std::uint64_t ViewOrder::end_of_frames() const noexcept {
  if (frames_end_ == layout_.first_index) return frames_before_;
  return std::max(frames_before_, turns_.sequence(frames_end_ - 1, my_stream_) + 1);
}

std::uint64_t ViewOrder::turns_waiting_for(std::uint32_t rank) const noexcept {
  // Behind the last frame are nulls, for which nobody waits.
  const std::uint64_t end = end_of_frames();
  // Where two senders are: one that ran ahead has nobody to wait for.
  std::uint64_t furthest = 0;
  std::uint64_t second = 0;
  std::uint64_t its = kAll;
  std::uint64_t there = its;  // all turns of the others before it are taken
  for (std::uint32_t i = 0; i < streams_.size(); ++i) {
    const std::uint64_t taken = i == my_stream_ ? issued_ : streams_[i].received;
    const std::uint64_t sequence = turns_.sequence(taken, i);
    second = std::max(second, std::min(sequence, furthest));
    furthest = std::max(furthest, sequence);
    std::uint64_t& least = streams_[i].rank == rank ? its : there;
    least = std::min(least, sequence);
  }
  std::uint64_t received = received_of_others();
  for (const Peer& peer : peers_) {
    if (peer.rank == rank) received = received_by(peer);
  }
  there = std::min({there, furthest, end});
  second = std::min(second, end);
  const std::uint64_t unused = second > its ? second - its : 0;
  return std::max(unused, there > received ? there - received : 0);
}

bool ViewOrder::drained() const noexcept { return delivered_by_all() >= ring_.end_sequence(); }

}  // namespace lockstep::ordering::inline LOCKSTEP_VARIANT
