#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "membership/attempt.hpp"
#include "membership/proposal.hpp"
#include "membership/welcome.hpp"
#include "ordering/variant.hpp"
#include "ordering/view_order.hpp"
#include "transports/transport.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {

/// A member's row of the table by which views change (DESIGN §4, the cold lines). Written by its
/// owner only, mirrored at every member of the view. Every word but `unreachable` only grows, from
/// view to view too: what an earlier view left behind reads as nothing said yet.
struct alignas(64) TableRow {
  std::uint64_t unreachable = 0;  ///< a bit per rank; may be taken back
  std::uint64_t leaving = 0;      ///< the view that this member wants to leave with
  std::uint64_t joinable = 0;     ///< links to who wants to join, a bit each; may be taken back
  std::uint64_t has_state = 0;    ///< 1 once it has all that the order says up to some place
  std::uint64_t slow = 0;         ///< ranks that lag behind too far; may be taken back
  std::uint64_t mended = 0;       ///< the view in which a link of this member was made anew
  std::uint64_t shown = 0;        ///< the view that the row speaks of
  std::uint64_t unused_sight{};

  std::uint64_t wedged = 0;    ///< the view that this member has stopped in
  std::uint64_t promised = 0;  ///< the highest attempt it takes part in
  std::uint64_t accepted = 0;  ///< the attempt under which it accepted `value`
  std::uint64_t decided = 0;   ///< the attempt with which `value` is known to be decided
  std::uint64_t unused_agreement[4]{};

  /// Per stream, in sender order: turns it held when it wedged.
  std::array<std::uint64_t, kMostMembers> received{};
  Proposal value;
  Welcome welcome;
};
static_assert(sizeof(TableRow) % 64 == 0);

/// One copy of a link's region: hot line, ring, table row.
constexpr std::size_t table_offset(std::size_t ring_bytes) noexcept {
  return ordering::region_bytes(ring_bytes);
}
constexpr std::size_t region_bytes(std::size_t ring_bytes) noexcept {
  return table_offset(ring_bytes) + sizeof(TableRow);
}

/// The rows of all members of one view, as this member sees them, and the way its own row gets to
/// the others.
///
/// Order is the proof (DESIGN §6). Per link, parts are posted in the order of `Part`, each with
/// writes of its own, and readers load in reverse: so who sees a promise sees every acceptance made
/// before it, and the received counts it stands for. (model/table.pml posts in the same order.)
///
/// Reactor-thread only; nothing blocks; allocates when it is made.
class Table {
 public:
  /// Parts of a row, in the order in which they are posted.
  enum class Part : std::uint8_t {
    welcome,   ///< to a joiner only: what its first view is
    sight,     ///< unreachable, leaving, joinable, has_state, slow, mended
    shown,     ///< after them: the row speaks of this view now
    value,     ///< an acceptance, in front of every later promise…
    accepted,  ///< …and its number behind it
    received,
    wedged,
    promised,
    decided,
  };
  static constexpr std::size_t kParts = 9;

  /// `welcome`, if it is one, goes to the last rank: it has just joined.
  Table(transports::Transport& transport, const ordering::ViewLayout& layout, std::uint64_t view,
        const Welcome& welcome = {});

  [[nodiscard]] std::uint64_t view() const noexcept { return view_; }
  [[nodiscard]] std::uint32_t members() const noexcept { return layout_.members; }
  [[nodiscard]] std::uint32_t my_rank() const noexcept { return layout_.my_rank; }

  // What this member shows. Each goes to the peers with the next `push`.
  [[nodiscard]] const TableRow& mine() const noexcept { return mine_; }
  void show_unreachable(std::uint64_t ranks) noexcept;
  void show_leaving() noexcept;
  void show_joinable(std::uint64_t links) noexcept;
  void show_slow(std::uint64_t ranks) noexcept;
  void show_state() noexcept;
  void show_mended() noexcept;
  /// Freezes what it holds of each stream, then says so.
  void wedge(const ordering::ViewOrder& order) noexcept;
  void promise(std::uint64_t number) noexcept;
  void accept(const Proposal& value) noexcept;
  void decide() noexcept;

  // What the others show, of this view; nothing said is 0. Mine included.
  [[nodiscard]] bool shows(std::uint32_t rank) const noexcept;
  [[nodiscard]] std::uint64_t unreachable(std::uint32_t rank) const noexcept;
  [[nodiscard]] bool leaves(std::uint32_t rank) const noexcept;
  [[nodiscard]] std::uint64_t joinable(std::uint32_t rank) const noexcept;
  [[nodiscard]] std::uint64_t slow(std::uint32_t rank) const noexcept;
  [[nodiscard]] bool has_state(std::uint32_t rank) const noexcept;
  [[nodiscard]] bool mended(std::uint32_t rank) const noexcept;
  [[nodiscard]] bool wedged(std::uint32_t rank) const noexcept;
  [[nodiscard]] std::uint64_t promised(std::uint32_t rank) const noexcept;
  [[nodiscard]] std::uint64_t accepted(std::uint32_t rank) const noexcept;
  [[nodiscard]] std::uint64_t decided(std::uint32_t rank) const noexcept;
  /// Only of who is wedged.
  [[nodiscard]] std::uint64_t received(std::uint32_t rank, std::uint32_t stream) const noexcept;
  /// The value that a member accepted under `number`. False while it is being written.
  [[nodiscard]] bool read_value(std::uint32_t rank, std::uint64_t number,
                                Proposal& value) const noexcept;

  /// Posts to every peer what it lacks. True if anything was posted.
  bool push(const ordering::ViewOrder& order) noexcept;
  [[nodiscard]] bool owes_posts() const noexcept { return owes_posts_; }
  /// Stops posting to a member.
  void lose(std::uint32_t rank) noexcept;
  /// The link of a lost member is gone: its row reads as nothing said yet.
  void unlink(std::uint32_t rank) noexcept;
  /// The link of a lost member was made anew: all of the row goes to it again, in order. Rows only
  /// grow, so that who reads it twice learns nothing that is not so.
  void relink(std::uint32_t rank) noexcept;

 private:
  struct Peer {
    std::uint32_t rank = 0;
    transports::LinkId link = 0;
    const TableRow* row = nullptr;
    std::array<std::uint32_t, kParts> posted{};
    /// The part that the link did not take whole: which version of it, and how much went.
    std::size_t part = kParts;
    std::uint32_t part_version = 0;
    std::size_t part_bytes = 0;
    bool lost = false;
  };
  /// Where a part lies in the row.
  struct Extent {
    std::size_t offset = 0;
    std::size_t bytes = 0;
  };

  void touch(Part part) noexcept {
    ++versions_[static_cast<std::size_t>(part)];
    owes_posts_ = true;
  }
  [[nodiscard]] const TableRow* inbound_row(transports::LinkId link) const noexcept;
  /// Nothing of the row has been posted, but for a welcome that is not for it.
  void begin_posting_to(Peer& peer) const noexcept;
  [[nodiscard]] Extent extent(Part part) const noexcept;
  bool push(Peer& peer, std::uint64_t mark, bool& posted) noexcept;
  bool push_part(Peer& peer, std::size_t part, std::uint64_t mark, bool& posted) noexcept;
  [[nodiscard]] const TableRow& row(std::uint32_t rank) const noexcept;
  [[nodiscard]] std::uint64_t word(std::uint32_t rank,
                                   std::uint64_t TableRow::* place) const noexcept;

  transports::Transport& transport_;
  const ordering::ViewLayout& layout_;
  const std::uint64_t view_;
  TableRow mine_;
  std::array<std::uint32_t, kParts> versions_{};
  bool owes_posts_ = false;  ///< some peer lacks some part
  std::vector<Peer> peers_;
};

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
