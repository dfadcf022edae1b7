#include "membership/kept_set.hpp"

#include <array>
#include <bit>

#include "membership/mutant.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {
namespace {

constexpr std::uint64_t bit(std::uint32_t rank) { return std::uint64_t{1} << rank; }

std::uint64_t all_of(std::size_t members) {
  return members >= 64 ? ~std::uint64_t{0} : bit(static_cast<std::uint32_t>(members)) - 1;
}

class Search {
 public:
  explicit Search(std::span<const std::uint64_t> reports) {
    for (std::uint32_t rank = 0; rank < reports.size(); ++rank) {
      const std::uint64_t others = reports[rank] & all_of(reports.size()) & ~bit(rank);
      conflicts_[rank] |= others;
      for (std::uint64_t rest = others; rest != 0; rest &= rest - 1) {
        conflicts_[static_cast<std::uint32_t>(std::countr_zero(rest))] |= bit(rank);
      }
    }
  }

  std::uint64_t run(std::uint64_t all) {
    // Who is in no conflict always stays.
    std::uint64_t agreed = 0;
    for (std::uint64_t rest = all; rest != 0; rest &= rest - 1) {
      const auto rank = static_cast<std::uint32_t>(std::countr_zero(rest));
      if (conflicts_[rank] == 0) agreed |= bit(rank);
    }
    try_all(agreed, all & ~agreed);
    return best_;
  }

 private:
  // Lowest rank first, with it before without it: of equally large sets the first one found is the
  // one with the lowest ranks.
  void try_all(std::uint64_t kept, std::uint64_t open) {
    if (std::popcount(kept) + std::popcount(open) <= std::popcount(best_)) return;
    if (open == 0) {
      best_ = kept;
      return;
    }
    if (++steps_ > kMostSteps && best_ != 0) return;
    const auto rank = static_cast<std::uint32_t>(std::countr_zero(open));
    open &= open - 1;
    try_all(kept | bit(rank), open & ~conflicts_[rank]);
    if ((conflicts_[rank] & open) != 0) try_all(kept, open);
  }

  std::array<std::uint64_t, 64> conflicts_{};
  std::uint64_t best_ = 0;
  std::uint32_t steps_ = 0;
};

}  // namespace

std::uint64_t kept_set(std::span<const std::uint64_t> reports) noexcept {
  return Search(reports).run(all_of(reports.size()));
}

bool is_quorum(std::uint64_t set, std::uint32_t members) noexcept {
  const auto count = static_cast<std::uint32_t>(std::popcount(set & all_of(members)));
  if (mutant(Mutant::half_without_lowest)) return 2 * count >= members;
  return 2 * count > members || (2 * count == members && (set & 1U) != 0);
}

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
