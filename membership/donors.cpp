#include "membership/donors.hpp"

#include <algorithm>
#include <bit>

#include "membership/mutant.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {
namespace {

constexpr std::uint64_t bit(std::uint32_t rank) { return std::uint64_t{1} << rank; }

/// The bit of its rank; none if it is not in the view.
std::uint64_t rank_bit(const ordering::ViewLayout& layout, transports::LinkId link) {
  for (std::uint32_t rank = 0; rank < layout.members; ++rank) {
    if (layout.link_of(rank) == link) return bit(rank);
  }
  return 0;
}

}  // namespace

void Donors::installed(std::uint64_t view, const ordering::ViewLayout& layout,
                       std::uint64_t stateless) {
  const std::uint64_t all = layout.members >= 64 ? ~std::uint64_t{0} : bit(layout.members) - 1;
  const std::uint64_t able = all & ~stateless;
  std::vector<Donation> next;
  std::uint64_t free = able;
  waiting_ = stateless & all;
  for (const Donation& before : donations_) {
    const std::uint64_t to = rank_bit(layout, before.to) & stateless;
    const std::uint64_t from = rank_bit(layout, before.from) & able;
    if (to == 0 || from == 0) continue;
    next.push_back(before);
    waiting_ &= ~to;
    if (!mutant(Mutant::donor_of_many)) free &= ~from;
  }
  for (std::uint64_t rest = waiting_; rest != 0 && free != 0; rest &= rest - 1) {
    const std::uint64_t from = std::bit_floor(free);
    next.push_back({.to = layout.link_of(static_cast<std::uint32_t>(std::countr_zero(rest))),
                    .from = layout.link_of(static_cast<std::uint32_t>(std::countr_zero(from))),
                    .cut = view});
    waiting_ &= ~(rest & -rest);
    if (!mutant(Mutant::donor_of_many)) free &= ~from;
  }
  std::ranges::sort(next, {}, [&](const Donation& one) { return rank_bit(layout, one.to); });
  donations_ = std::move(next);
}

bool Donors::need_a_cut(const ordering::ViewLayout& layout, std::uint64_t staying,
                        std::uint64_t with_state) const noexcept {
  if ((waiting_ & staying) == 0) return false;
  std::uint64_t free = staying & with_state;
  for (const Donation& donation : donations_) {
    const bool over = (rank_bit(layout, donation.to) & staying & ~with_state) == 0;
    if (!over) free &= ~rank_bit(layout, donation.from);
  }
  return free != 0;
}

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
