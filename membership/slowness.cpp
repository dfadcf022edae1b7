#include "membership/slowness.hpp"

#include <algorithm>

#include "runtime/assert.hpp"

namespace lockstep::membership {

std::uint64_t Slowness::look(std::span<const std::uint64_t> lags, std::uint64_t now_ns) noexcept {
  LOCKSTEP_ASSERT(lags.size() <= behind_ns_.size());
  constexpr std::uint64_t kForgiveness = 4;
  const std::uint64_t past_ns = looked_ns_ == 0 ? 0 : now_ns - looked_ns_;
  looked_ns_ = now_ns;
  const std::uint64_t before = slow_;
  for (std::size_t rank = 0; rank < lags.size(); ++rank) {
    const std::uint64_t its = std::uint64_t{1} << rank;
    std::uint64_t& behind_ns = behind_ns_[rank];
    if (options_.lag != 0 && lags[rank] >= options_.lag) {
      behind_ns = std::min(behind_ns + past_ns, options_.timeout_ns);
      if (behind_ns == options_.timeout_ns) slow_ |= its;
    } else {
      behind_ns -= std::min(behind_ns, kForgiveness * past_ns);
      if (behind_ns == 0) slow_ &= ~its;
    }
  }
  return slow_ & ~before;
}

void Slowness::begin_anew() noexcept {
  behind_ns_ = {};
  looked_ns_ = 0;
  slow_ = 0;
}

}  // namespace lockstep::membership
