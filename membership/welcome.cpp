#include "membership/welcome.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>
#include <utility>
#include <vector>

#include "membership/mutant.hpp"
#include "membership/table.hpp"
#include "runtime/word.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {
namespace {

/// Word by word: its writer may be at work, and the checksum says whether all belong together.
Welcome load(const Welcome& from) noexcept {
  Welcome welcome;
  const auto* words = reinterpret_cast<const std::uint64_t*>(&from);
  auto* copy = reinterpret_cast<std::uint64_t*>(&welcome);
  for (std::size_t i = 0; i < sizeof(Welcome) / sizeof(std::uint64_t); ++i) {
    copy[i] = runtime::load_acquire(words[i]);
  }
  return welcome;
}

/// Empty if it is not for this joiner.
std::optional<FirstView> read(const Welcome& welcome, std::uint64_t ring_bytes,
                              transports::LinkId my_link, std::uint64_t my_nonce) {
  FirstView first{.view = welcome.view, .layout = {}, .donors = {}};
  std::vector<Donors::Donation> donations;
  ordering::ViewLayout& layout = first.layout;
  layout.members = static_cast<std::uint32_t>(welcome.members);
  layout.my_rank = layout.members;
  layout.ring_bytes = ring_bytes;
  layout.copy = static_cast<std::uint32_t>(welcome.copy);
  layout.first_index = welcome.first_index;
  layout.timestamp_ns = welcome.timestamp_ns;
  for (std::uint32_t rank = 0; rank < layout.members; ++rank) {
    const auto link = static_cast<transports::LinkId>(welcome.links[rank]);
    if (link == my_link && welcome.nonces[rank] == my_nonce) layout.my_rank = rank;
    layout.links.push_back(link);
    layout.nonces.push_back(welcome.nonces[rank]);
    if ((welcome.senders >> rank & 1U) != 0) layout.senders.push_back(rank);
    if (welcome.cuts[rank] == 0) continue;
    donations.push_back({.to = link,
                         .from = static_cast<transports::LinkId>(welcome.donors[rank]),
                         .cut = welcome.cuts[rank]});
  }
  if (layout.my_rank == layout.members || layout.senders.empty()) return std::nullopt;
  first.donors = Donors(std::move(donations), welcome.waiting);
  return first;
}

}  // namespace

Welcome Welcome::to(std::uint64_t view, const ordering::ViewLayout& layout,
                    const Donors& donors) noexcept {
  Welcome welcome;
  welcome.view = view;
  welcome.copy = layout.copy;
  welcome.first_index = layout.first_index;
  welcome.timestamp_ns = layout.timestamp_ns;
  welcome.members = layout.members;
  for (const std::uint32_t rank : layout.senders) welcome.senders |= std::uint64_t{1} << rank;
  for (std::uint32_t rank = 0; rank < layout.members; ++rank) {
    welcome.links[rank] = layout.links[rank];
    welcome.nonces[rank] = layout.nonces[rank];
    for (const Donors::Donation& donation : donors.donations()) {
      if (donation.to != layout.links[rank]) continue;
      if (mutant(Mutant::donations_not_told) && donation.cut != view) continue;
      welcome.donors[rank] = donation.from;
      welcome.cuts[rank] = donation.cut;
    }
  }
  welcome.waiting = donors.waiting();
  welcome.checksum = welcome.compute_checksum();
  return welcome;
}

std::uint64_t Welcome::compute_checksum() const noexcept {
  Welcome unsealed = *this;
  unsealed.checksum = 0;
  return XXH3_64bits(&unsealed, sizeof unsealed);
}

bool Welcome::sound() const noexcept {
  return view != 0 && members > 0 && members <= kMostMembers && copy < transports::kRegionCopies &&
         checksum == compute_checksum();
}

std::optional<FirstView> find_welcome(transports::Transport& transport, std::uint64_t ring_bytes,
                                      std::uint64_t links, transports::LinkId my_link,
                                      std::uint64_t my_nonce) {
  std::optional<FirstView> newest;
  for (std::uint64_t rest = links; rest != 0; rest &= rest - 1) {
    const auto link = static_cast<transports::LinkId>(std::countr_zero(rest));
    for (std::uint32_t copy = 0; copy < transports::kRegionCopies; ++copy) {
      const auto region = transport.inbound(link, copy);
      if (region.size() < region_bytes(ring_bytes)) continue;
      const auto* row = reinterpret_cast<const TableRow*>(region.data() + table_offset(ring_bytes));
      const std::uint64_t view = runtime::load_acquire(row->welcome.view);
      if (view == 0 || (newest && view <= newest->view)) continue;
      const Welcome welcome = load(row->welcome);
      if (!welcome.sound()) continue;
      if (auto first = read(welcome, ring_bytes, my_link, my_nonce)) newest = std::move(first);
    }
  }
  return newest;
}

bool still_runs(const FirstView& first, std::span<const std::uint64_t> met_in) noexcept {
  for (std::uint32_t rank = 0; rank < first.layout.members; ++rank) {
    const bool other = rank != first.layout.my_rank;
    if (other && met_in[first.layout.links[rank]] >= first.view) return false;
  }
  return true;
}

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
