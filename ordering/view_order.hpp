#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lockstep/message.hpp"
#include "ordering/region_layout.hpp"
#include "ordering/ring_reader.hpp"
#include "ordering/ring_writer.hpp"
#include "ordering/round_robin.hpp"
#include "ordering/variant.hpp"
#include "transports/transport.hpp"

namespace lockstep::ordering::inline LOCKSTEP_VARIANT {

/// What all members of a view agree on before its first message.
struct ViewLayout {
  std::uint32_t members = 1;
  std::uint32_t my_rank = 0;
  std::vector<std::uint32_t> senders{};  ///< ranks that may multicast, ascending, not empty
  std::uint64_t ring_bytes = 1 << 20;    ///< power of two, at least 4 096
  std::vector<std::uint64_t> nonces{};   ///< per rank: the epoch nonce of that member's ring
  std::uint32_t copy = 0;  ///< which copy of each region, and of the own ring, this epoch uses
  std::vector<transports::LinkId> links{};  ///< per rank, mine unused; empty: ranks are links
  /// The index of every sender's first turn: above all that the same peers showed of a view before,
  /// since the words of a row go on growing from view to view. A word that a peer wrote two views
  /// ago, into the same copy, is then one more stale word and does no harm.
  std::uint64_t first_index = 0;
  std::uint64_t first_mark = 0;    ///< above the marks of all posts made before
  std::uint64_t timestamp_ns = 0;  ///< of the last message before

  [[nodiscard]] transports::LinkId link_of(std::uint32_t rank) const noexcept {
    return links.empty() ? rank : links[rank];
  }
};

/// What the order has done; plain numbers of one thread, published by whoever likes.
struct OrderStatistics {
  std::uint64_t frames_sent = 0;
  std::uint64_t ring_bytes_sent = 0;  ///< frames whole: headers and padding included
  std::uint64_t nulls_sent = 0;
  std::uint64_t frames_delivered = 0;
  std::uint64_t payload_bytes_delivered = 0;
  std::uint64_t posts = 0;             ///< writes handed to the transport, frames and rows
  std::uint64_t row_pushes = 0;        ///< of those, rows
  std::uint64_t stalls_ring_full = 0;  ///< claims refused because somebody has not delivered yet
  std::uint64_t stalls_link_full = 0;  ///< posts refused by the transport
  std::uint64_t frames_rejected = 0;   ///< frames or rows that no correct member writes
};

/// The total order of ONE view: the state table, the sender rings, round-robin turns, stability
/// and delivery. Knows neither sockets nor clocks nor that views change; sees memory that peers
/// write, a transport it posts to, and the time as a number.
///
/// Frames and counters flow one way each (DESIGN §4):
///   publish  → my ring → [write] → peers' copies → receive → my received_sequence → [write row]
///   stable   = the least received_sequence of all, and all I hold → deliver → delivered_sequence
///   reclaim  = the least delivered_sequence of all members → room in my ring
///
/// Reactor-thread only. Nothing here allocates, blocks or calls the system after construction.
class ViewOrder {
 public:
  /// `tokens`: of an order that is over (take_tokens), so that a view does not begin with page
  /// faults.
  ViewOrder(transports::Transport& transport, const ViewLayout& layout,
            std::vector<std::uint64_t> tokens = {});

  /// Sweeps every sender's ring and row. True if anything advanced.
  bool receive() noexcept;

  /// Hands stable messages to `handler`, at most kDeliverBatch. True if there were turns to pass.
  bool deliver(MessageHandler& handler);

  /// Fills turns, then posts frames and rows that peers lack, frames first. `busy` says whether
  /// this turn of the loop received or delivered anything. True if anything was posted.
  bool send(bool busy) noexcept;

  /// Shows every peer that this member lives. A beat alone never rings a doorbell.
  void beat() noexcept;

  /// Before sleeping: posts what is held back for batching.
  void settle() noexcept;

  /// After announcing sleep: is there anything a turn of the loop would act on?
  [[nodiscard]] bool anything_new() noexcept;

  /// Room for a payload of at most max_payload_bytes(), or null: the ring is full.
  std::byte* claim(std::size_t bytes) noexcept;
  /// Puts the claimed frame into the order; `token` comes back with its own delivery.
  void publish(std::uint64_t token) noexcept;
  /// Who keeps a full ring full: the rank that has delivered least, or, if all delivered the same,
  /// the one whose frames or acknowledgements everybody waits for.
  [[nodiscard]] std::uint32_t slowest_rank() const noexcept;

  /// Wall clock for frames published from now on (ns since 1970).
  void set_wall_ns(std::uint64_t now) noexcept { wall_ns_ = now; }

  /// Tells all peers that there is something to see in the rest of this member's row, which was
  /// posted before.
  void point_at_table() noexcept;
  /// Changes when a peer pointed at its row, as of the last `receive`.
  [[nodiscard]] std::uint64_t tables() const noexcept { return tables_; }

  /// Stops publishing and receiving in this view for good (DESIGN §6, wedge). What is stable can
  /// still be delivered, and this member's frames and row go on being posted: a row that is shown
  /// still covers frames which must be there first.
  void wedge() noexcept;
  [[nodiscard]] bool wedged() const noexcept { return wedged_; }
  /// How many turns of a stream (nulls included) this member holds; in sender order.
  [[nodiscard]] std::uint64_t received_of(std::uint32_t stream) const noexcept {
    return stream == my_stream_ ? issued_ : streams_[stream].received;
  }
  [[nodiscard]] std::uint32_t stream_count() const noexcept {
    return static_cast<std::uint32_t>(streams_.size());
  }
  /// What this member's row says that it holds of the others' streams, as a sequence. Never more
  /// than it holds of some stream: what a view leaves in the others' memory has to be below all
  /// sequences of the next one that uses it (ViewLayout::first_index).
  [[nodiscard]] std::uint64_t shown_sequence() const noexcept { return row_.received_sequence; }
  /// Ends the view: delivers all turns before the trims (one index per stream, none above what this
  /// member holds) and nothing else.
  void deliver_through(std::span<const std::uint64_t> trims, MessageHandler& handler);
  /// After deliver_through: calls `function(payload, token)` for each frame of mine that was not
  /// handed over, in order. They are nobody's yet, and belong into the next view.
  template <class Function>
  void each_undelivered(Function&& function);
  /// After that: the memory for tokens, for the next order.
  [[nodiscard]] std::vector<std::uint64_t> take_tokens() noexcept { return std::move(tokens_); }
  /// Whether all posts up to `mark` on the links of this view are complete.
  [[nodiscard]] bool posts_complete(std::uint64_t mark) const noexcept;
  /// Above the marks of all posts so far.
  [[nodiscard]] std::uint64_t next_mark() const noexcept {
    return layout_.first_mark + ring_.head() + 1;
  }
  /// From here on `next` posts on the same links, this order posts no frames, and its row only to
  /// whom no frame is owed.
  void succeeded_by(const ViewOrder& next) noexcept { successor_ = &next; }
  /// The mark of the last post on `link`; 0 if that is none of this view's.
  [[nodiscard]] std::uint64_t mark_on(transports::LinkId link) const noexcept;
  [[nodiscard]] const ViewLayout& layout() const noexcept { return layout_; }
  [[nodiscard]] std::uint64_t last_timestamp_ns() const noexcept { return last_timestamp_ns_; }

  /// Stops posting to a member and waiting for its completions. What it acknowledged stays true.
  void lose(std::uint32_t rank) noexcept;
  /// Before a lost link is made anew: receives no more from its peer in this view, and copies what
  /// it still has to deliver out of memory that goes with the old link.
  void keep_frames(std::uint32_t rank);
  /// The link of a lost member was made anew, to carry rows: they go out whole. Frames wait for the
  /// next view (DESIGN §6, broken links).
  void relink(std::uint32_t rank) noexcept;
  /// The link of a lost member is gone, and what it wrote with it.
  void unlink(std::uint32_t rank) noexcept;

  /// The rank whose frames or rows broke the rules since the last call, if any.
  bool take_offender(std::uint32_t& rank) noexcept;

  [[nodiscard]] bool is_sender() const noexcept { return my_stream_ != kNoStream; }
  [[nodiscard]] std::size_t max_payload_bytes() const noexcept {
    return ordering::max_payload_bytes(layout_.ring_bytes);
  }
  /// Everything published here has been delivered by all.
  [[nodiscard]] bool drained() const noexcept;
  [[nodiscard]] std::uint64_t delivered_sequence() const noexcept { return turn_.sequence; }
  /// How many turns of the order wait for the member of this rank, as far as this one sees: those
  /// that it could have received and has not, or those of its own that it has not used while others
  /// went on.
  [[nodiscard]] std::uint64_t turns_waiting_for(std::uint32_t rank) const noexcept;
  [[nodiscard]] std::uint64_t beat_of(std::uint32_t rank) const noexcept;
  [[nodiscard]] OrderStatistics statistics() const noexcept;

  /// Messages handed over in one call of `deliver`, so that acknowledgements keep flowing while
  /// the application works through a backlog; and turns passed, so that no row can hold us.
  static constexpr std::uint32_t kDeliverBatch = 256;
  static constexpr std::uint32_t kTurnBatch = 1 << 16;
  /// Fruitless turns after which `delivered_sequence` is pushed by a reactor that never sleeps.
  static constexpr std::uint32_t kIdleTurnsBeforeSettling = 1'024;
  /// A sender that passed so many turns in a row is taken to pass its next one, too.
  static constexpr std::uint64_t kPassesOfASilentSender = 8;

 private:
  static constexpr std::uint32_t kNoStream = ~std::uint32_t{0};
  static constexpr std::uint32_t kNobody = ~std::uint32_t{0};

  /// A place between two frames of a ring.
  struct Cursor {
    std::uint64_t position = 0;    ///< where the next frame stands or will appear
    std::uint64_t frames_end = 0;  ///< one past the index of the frame before it
  };

  /// One sender's frames on their way through: received up to one place, delivered up to another.
  /// A power of two in size: the turn's stream is found without a multiplication.
  struct alignas(128) Stream {
    RingReader reader;
    std::uint32_t peer = kNobody;  ///< which of peers_; nobody: never swept (my own, offenders')
    std::uint32_t rank = 0;
    std::uint64_t received = 0;  ///< turns held without a gap, nulls included
    Cursor receive;              ///< of my own: brought up to what I published before delivery
    Cursor deliver;
  };

  /// What one call of `deliver` handed over.
  struct Delivered {
    std::uint32_t messages = 0;
    std::uint64_t payload_bytes = 0;
    std::uint64_t ring_bytes = 0;
  };

  /// Another member: what of mine it has been sent, and its row.
  struct Peer {
    std::uint32_t rank = 0;
    transports::LinkId link = 0;
    const HotLine* row = nullptr;
    /// The row's words as this turn of the loop sees them. They share a line that the peer writes
    /// right after its frames: loading it once a turn, before the sweep, keeps a miss on it out of
    /// the way from a frame's arrival to its acknowledgement.
    std::uint64_t received_sequence = 0;
    std::uint64_t issued = 0;
    std::uint64_t posted_position = 0;
    std::uint64_t row_version = 0;
    bool holds_all = false;    ///< the only sender: there is nothing that it could lack
    bool rows_lost = false;    ///< it is posted nothing…
    bool frames_lost = false;  ///< …or rows only: its link was made anew
  };
  /// What keeps frames of a link that is gone.
  struct alignas(64) KeptLine {
    std::byte bytes[64];
  };

  void load_rows() noexcept;
  void sweep(Stream& stream) noexcept;
  template <Trust kTrust>
  void sweep_trusting(Stream& stream) noexcept;
  /// Looks at the first undelivered frame: it is the one of turn `index`, or a later turn's and
  /// this turn is a null. Steps over at most one pad.
  enum class Next : std::uint8_t { frame, null, again };
  Next find_next(Stream& stream, std::uint64_t index, FrameRef& frame) noexcept;
  void apply_next(Stream& stream, const FrameRef& frame, const Turn& turn, Delivered& delivered,
                  MessageHandler& handler);
  bool deliver_by_arrival(std::uint64_t stable, MessageHandler& handler);
  /// What this member holds of all streams but its own; all, if there is no other.
  [[nodiscard]] std::uint64_t received_of_others() const noexcept;
  /// The same as it is shown to others.
  [[nodiscard]] std::uint64_t received_to_show() const noexcept;
  [[nodiscard]] static std::uint64_t received_by(const Peer& peer) noexcept;
  [[nodiscard]] std::uint64_t stable_sequence() const noexcept;
  [[nodiscard]] std::uint64_t delivered_by_all() const noexcept;
  [[nodiscard]] std::uint32_t rank_least_stable() const noexcept;
  void fill_turns() noexcept;
  /// It has had nothing to say for a while, so it passes turns before others wait for them. Between
  /// two senders that saves a post and no transfer, and the acknowledgement is a delivery later.
  [[nodiscard]] bool silent() const noexcept {
    const bool worth_it = streams_.size() > 2 || !posts_are_stores_;
    return worth_it && issued_ - frames_end_ >= kPassesOfASilentSender;
  }
  /// Above the sequence of the last frame that this member holds, its own ones included.
  [[nodiscard]] std::uint64_t end_of_frames() const noexcept;
  void refresh_row(bool force_delivered) noexcept;
  bool push(Peer& peer) noexcept;
  [[nodiscard]] bool frames_due(const Peer& peer) const noexcept {
    return !peer.frames_lost && peer.posted_position != ring_.head();
  }
  bool push_frames(Peer& peer) noexcept;
  bool push_row(Peer& peer) noexcept;
  bool push_all(bool ring_doorbells) noexcept;
  std::byte* try_claim(std::size_t bytes) noexcept;
  std::byte* claim_reclaimed(std::size_t bytes) noexcept;
  bool reclaim() noexcept;
  /// Some peer has not been sent all that is published.
  [[nodiscard]] bool owes_posts() const noexcept;
  /// Posts whose bytes the medium still needs. No doorbell tells of their completion, so a sender
  /// that waits for room must not sleep on them.
  [[nodiscard]] bool awaits_completion() const noexcept;
  /// How far in my ring the medium is done with.
  [[nodiscard]] std::uint64_t completed_by(const Peer& peer) const noexcept;
  void reject(std::uint32_t rank) noexcept;

  transports::Transport& transport_;
  const bool posts_are_stores_;
  ViewLayout layout_;
  RoundRobin turns_;
  std::vector<Stream> streams_;  ///< in sender order
  std::vector<Peer> peers_;
  std::vector<std::vector<KeptLine>> kept_;  ///< by stream, once a link was made anew
  std::uint32_t my_stream_ = kNoStream;

  RingWriter ring_;
  std::uint64_t issued_ = 0;         ///< my next index
  std::uint64_t frames_end_ = 0;     ///< one past the index of my last frame
  std::uint64_t turns_to_fill_ = 0;  ///< turns of mine that others' frames wait for
  std::uint64_t frames_before_ = 0;  ///< all frames of others seen so far are before this sequence
  /// Which of peers_ published last: it waits for the others to hold that before it delivers it
  /// itself, so it is told first. Over sockets each peer before it would cost it a system call.
  std::size_t first_told_ = 0;
  std::uint64_t frames_published_ = 0;
  std::uint64_t frames_applied_ = 0;   ///< of mine
  std::vector<std::uint64_t> tokens_;  ///< of my frames in flight: as many as fit the ring, 2^n
  std::uint64_t token_mask_ = 0;
  std::size_t claim_limit_ = 0;  ///< claims must be smaller; 0 when this member may not send
  bool wedged_ = false;
  std::uint64_t tables_ = 0;
  const ViewOrder* successor_ = nullptr;
  /// The last claim that did not succeed at once did not succeed at all.
  bool ring_was_full_ = false;

  Turn turn_;  ///< the next to deliver
  std::uint64_t last_timestamp_ns_ = 0;
  std::uint64_t wall_ns_ = 0;

  HotLine row_{};                  ///< mine, as last refreshed
  std::uint64_t row_version_ = 0;  ///< of what others must see soon
  std::uint64_t delivered_bytes_unpushed_ = 0;
  std::uint32_t idle_turns_ = 0;
  std::uint32_t offender_ = kNobody;
  OrderStatistics statistics_;
};

template <class Function>
void ViewOrder::each_undelivered(Function&& function) {
  if (!is_sender()) return;
  const Stream& mine = streams_[my_stream_];
  std::uint64_t frame_number = frames_applied_;
  FrameRef frame;
  for (std::uint64_t position = mine.deliver.position; position < ring_.head();
       position = frame.next_position) {
    if (!mine.reader.reread(position, frame)) return;
    if (frame.pad()) continue;
    function(std::span(frame.payload, frame.length), tokens_[frame_number++ & token_mask_]);
  }
}

}  // namespace lockstep::ordering::inline LOCKSTEP_VARIANT
