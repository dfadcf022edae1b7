#include "membership/table.hpp"

#include <algorithm>
#include <cstring>

#include "membership/mutant.hpp"
#include "runtime/assert.hpp"
#include "runtime/word.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {

using runtime::load_acquire;
using transports::kInlineBytes;
using transports::Post;

Table::Table(transports::Transport& transport, const ordering::ViewLayout& layout,
             std::uint64_t view, const Welcome& welcome)
    : transport_(transport), layout_(layout), view_(view) {
  mine_.shown = view;
  mine_.welcome = welcome;
  if (welcome.view != 0) touch(Part::welcome);
  for (std::uint32_t rank = 0; rank < layout.members; ++rank) {
    if (rank == layout.my_rank) continue;
    const transports::LinkId link = layout.link_of(rank);
    Peer peer{.rank = rank, .link = link, .row = inbound_row(link)};
    begin_posting_to(peer);
    peers_.push_back(peer);
  }
  touch(Part::sight);
  touch(Part::shown);
}

const TableRow* Table::inbound_row(transports::LinkId link) const noexcept {
  const auto inbound = transport_.inbound(link, layout_.copy);
  LOCKSTEP_ASSERT(inbound.size() >= region_bytes(layout_.ring_bytes));
  return reinterpret_cast<const TableRow*>(inbound.data() + table_offset(layout_.ring_bytes));
}

void Table::begin_posting_to(Peer& peer) const noexcept {
  constexpr auto kWelcome = static_cast<std::size_t>(Part::welcome);
  peer.posted = {};
  peer.part = kParts;
  if (peer.rank + 1 != layout_.members) peer.posted[kWelcome] = versions_[kWelcome];
}

// ---- mine --------------------------------------------------------------------------------------

void Table::show_unreachable(std::uint64_t ranks) noexcept {
  if (mine_.unreachable == ranks) return;
  mine_.unreachable = ranks;
  touch(Part::sight);
}

void Table::show_leaving() noexcept {
  if (mine_.leaving == view_) return;
  mine_.leaving = view_;
  touch(Part::sight);
}

void Table::show_joinable(std::uint64_t links) noexcept {
  if (mine_.joinable == links) return;
  mine_.joinable = links;
  touch(Part::sight);
}

void Table::show_slow(std::uint64_t ranks) noexcept {
  if (mine_.slow == ranks) return;
  mine_.slow = ranks;
  touch(Part::sight);
}

void Table::show_state() noexcept {
  if (mine_.has_state != 0) return;
  mine_.has_state = 1;
  touch(Part::sight);
}

void Table::show_mended() noexcept {
  if (mine_.mended == view_) return;
  mine_.mended = view_;
  touch(Part::sight);
}

void Table::wedge(const ordering::ViewOrder& order) noexcept {
  for (std::uint32_t i = 0; i < order.stream_count(); ++i) mine_.received[i] = order.received_of(i);
  mine_.wedged = view_;
  touch(Part::received);
  touch(Part::wedged);
}

void Table::promise(std::uint64_t number) noexcept {
  mine_.promised = number;
  touch(Part::promised);
}

void Table::accept(const Proposal& value) noexcept {
  mine_.value = value;
  mine_.accepted = value.number;
  touch(Part::value);
  touch(Part::accepted);
}

void Table::decide() noexcept {
  mine_.decided = mine_.value.number;
  touch(Part::decided);
}

// ---- others ------------------------------------------------------------------------------------

const TableRow& Table::row(std::uint32_t rank) const noexcept {
  if (rank == layout_.my_rank) return mine_;
  return *peers_[rank - (rank > layout_.my_rank ? 1 : 0)].row;
}

std::uint64_t Table::word(std::uint32_t rank, std::uint64_t TableRow::* place) const noexcept {
  return load_acquire(row(rank).*place);
}

bool Table::shows(std::uint32_t rank) const noexcept {
  return word(rank, &TableRow::shown) == view_;
}
std::uint64_t Table::unreachable(std::uint32_t rank) const noexcept {
  return shows(rank) ? word(rank, &TableRow::unreachable) : 0;
}
bool Table::leaves(std::uint32_t rank) const noexcept {
  return word(rank, &TableRow::leaving) == view_;
}
std::uint64_t Table::joinable(std::uint32_t rank) const noexcept {
  return shows(rank) ? word(rank, &TableRow::joinable) : 0;
}

std::uint64_t Table::slow(std::uint32_t rank) const noexcept {
  return shows(rank) ? word(rank, &TableRow::slow) : 0;
}
bool Table::has_state(std::uint32_t rank) const noexcept {
  return shows(rank) && word(rank, &TableRow::has_state) != 0;
}
bool Table::mended(std::uint32_t rank) const noexcept {
  return word(rank, &TableRow::mended) == view_;
}
bool Table::wedged(std::uint32_t rank) const noexcept {
  return word(rank, &TableRow::wedged) == view_;
}
std::uint64_t Table::promised(std::uint32_t rank) const noexcept {
  return Attempt::in_view(word(rank, &TableRow::promised), view_);
}
std::uint64_t Table::accepted(std::uint32_t rank) const noexcept {
  return Attempt::in_view(word(rank, &TableRow::accepted), view_);
}
std::uint64_t Table::decided(std::uint32_t rank) const noexcept {
  return Attempt::in_view(word(rank, &TableRow::decided), view_);
}

std::uint64_t Table::received(std::uint32_t rank, std::uint32_t stream) const noexcept {
  return load_acquire(row(rank).received[stream]);
}

bool Table::read_value(std::uint32_t rank, std::uint64_t number, Proposal& value) const noexcept {
  // Word by word: the owner may be writing, and the checksum says whether all belong together.
  const auto* from = reinterpret_cast<const std::uint64_t*>(&row(rank).value);
  auto* to = reinterpret_cast<std::uint64_t*>(&value);
  for (std::size_t i = 0; i < sizeof(Proposal) / sizeof(std::uint64_t); ++i) {
    to[i] = load_acquire(from[i]);
  }
  return value.number == number && value.sound() && value.streams == layout_.senders.size();
}

// ---- posting -----------------------------------------------------------------------------------

Table::Extent Table::extent(Part part) const noexcept {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  switch (part) {
    case Part::welcome:
      return {offsetof(TableRow, welcome), sizeof(Welcome)};
    case Part::sight:
      return {offsetof(TableRow, unreachable),
              offsetof(TableRow, shown) - offsetof(TableRow, unreachable)};
    case Part::shown:
      return {offsetof(TableRow, shown), kWord};
    case Part::value:
      return {offsetof(TableRow, value), mine_.value.bytes()};
    case Part::accepted:
      return {offsetof(TableRow, accepted), kWord};
    case Part::received:
      return {offsetof(TableRow, received), layout_.senders.size() * kWord};
    case Part::wedged:
      return {offsetof(TableRow, wedged), kWord};
    case Part::promised:
      return {offsetof(TableRow, promised), kWord};
    case Part::decided:
      return {offsetof(TableRow, decided), kWord};
  }
  return {};
}

bool Table::push(const ordering::ViewOrder& order) noexcept {
  if (!owes_posts_) return false;
  bool posted = false;
  bool all = true;
  for (Peer& peer : peers_) {
    if (peer.lost || peer.posted == versions_) continue;
    all &= push(peer, order.mark_on(peer.link), posted);
    transport_.flush(peer.link);
  }
  owes_posts_ = !all;
  return posted;
}

bool Table::push(Peer& peer, std::uint64_t mark, bool& posted) noexcept {
  for (std::size_t part = 0; part < kParts; ++part) {
    if (!push_part(peer, part, mark, posted)) return false;
  }
  return true;
}

bool Table::push_part(Peer& peer, std::size_t part, std::uint64_t mark, bool& posted) noexcept {
  if (peer.posted[part] == versions_[part]) return true;
  const Extent place = extent(static_cast<Part>(part));
  // A part is longer than what may be posted from anywhere; a link may take it in several goes.
  const bool goes_on = peer.part == part && peer.part_version == versions_[part];
  if (!goes_on) peer.part_bytes = 0;
  peer.part = part;
  peer.part_version = versions_[part];
  const auto* const row = reinterpret_cast<const std::byte*>(&mine_);
  const std::size_t base = table_offset(layout_.ring_bytes) + place.offset;
  while (peer.part_bytes < place.bytes) {
    const std::size_t bytes = std::min(place.bytes - peer.part_bytes, kInlineBytes);
    const Post post = transport_.write(peer.link, layout_.copy, base + peer.part_bytes,
                                       {row + place.offset + peer.part_bytes, bytes}, mark);
    if (post != Post::posted) return false;
    posted = true;
    peer.part_bytes += bytes;
  }
  peer.part = kParts;
  peer.posted[part] = versions_[part];
  return true;
}

void Table::lose(std::uint32_t rank) noexcept {
  for (Peer& peer : peers_) {
    if (peer.rank == rank) peer.lost = true;
  }
}

void Table::unlink(std::uint32_t rank) noexcept {
  for (Peer& peer : peers_) {
    if (peer.rank == rank) peer.row = inbound_row(peer.link);
  }
}

void Table::relink(std::uint32_t rank) noexcept {
  unlink(rank);
  for (Peer& peer : peers_) {
    if (peer.rank != rank) continue;
    peer.lost = false;
    if (!mutant(Mutant::row_not_repeated)) begin_posting_to(peer);
  }
  owes_posts_ = true;
}

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
