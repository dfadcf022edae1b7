#include "membership/donors.hpp"

#include <algorithm>

namespace lockstep::membership::inline LOCKSTEP_VARIANT {

void Donors::installed(std::uint64_t view, const ordering::ViewLayout& layout,
                       std::uint64_t stateless) {
  const auto link_of = [&](std::uint32_t rank) {
    return layout.links.empty() ? rank : layout.links[rank];
  };
  const auto lacks = [&](std::uint32_t rank) { return (stateless >> rank & 1U) != 0; };
  std::vector<transports::LinkId> able;
  for (std::uint32_t rank = 0; rank < layout.members; ++rank) {
    if (!lacks(rank)) able.push_back(link_of(rank));
  }
  std::vector<Donation> next;
  for (std::uint32_t rank = 0; rank < layout.members && !able.empty(); ++rank) {
    if (!lacks(rank)) continue;
    Donation donation{.to = link_of(rank), .from = able.back(), .cut = view};
    for (const Donation& before : donations_) {
      const bool goes_on = std::ranges::find(able, before.from) != able.end();
      if (before.to == donation.to && goes_on) donation = before;
    }
    next.push_back(donation);
  }
  donations_ = std::move(next);
}

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
