#include "membership/observation.hpp"

#include <algorithm>
#include <bit>

namespace lockstep::membership::inline LOCKSTEP_VARIANT {
namespace {

/// A raise shrinks by its thirty-second part of the time that passes.
constexpr std::uint64_t kForgettingTimes = 32;
/// An own delay below this part of the timeout accuses nobody, and need not be given to anybody:
/// on a busy machine every turn is a little late, and all of that together would be much.
constexpr std::uint64_t kStallsPerTimeout = 8;
/// Heartbeat intervals until all, who look once in each, have heard who is back, and what they take
/// back has come here: twice the longest way.
constexpr std::uint64_t kIntervalsOfFlux = 4;

}  // namespace

Observation::Observation(ordering::ViewOrder& order, std::uint32_t members, std::uint32_t my_rank,
                         const Options& options)
    : order_(order), options_(options), my_rank_(my_rank), heard_(members) {}

void Observation::beat_and_look(std::uint64_t now_ns) noexcept {
  const std::uint64_t interval_ns = options_.heartbeat_interval_ns;
  // Everything before the first look, and what we missed while not running, does not count.
  const std::uint64_t passed_ns = last_ns_ == 0 ? 0 : now_ns - last_ns_;
  const std::uint64_t long_ns =
      std::max(2 * interval_ns, options_.silence_timeout_ns / kStallsPerTimeout);
  const std::uint64_t stalled_ns = passed_ns > long_ns ? passed_ns - interval_ns : 0;
  last_ns_ = now_ns;
  next_ns_ = now_ns + interval_ns;
  order_.beat();
  const std::uint64_t before = silent_;
  silent_ = 0;
  for (std::uint32_t rank = 0; rank < heard_.size(); ++rank) {
    if (rank == my_rank_) continue;
    look(heard_[rank], order_.beat_of(rank),
         {.now_ns = now_ns, .watched_ns = passed_ns - stalled_ns, .stalled_ns = stalled_ns});
    if (heard_[rank].silent) silent_ |= std::uint64_t{1} << rank;
  }
  const bool half_were_silent =
      2 * static_cast<std::size_t>(std::popcount(before)) >= heard_.size();
  const bool was_away = stalled_ns >= options_.silence_timeout_ns;
  if (was_away || (half_were_silent && (before & ~silent_) != 0)) {
    flux_until_ns_ = now_ns + kIntervalsOfFlux * interval_ns;
  }
}

void Observation::look(Heard& heard, std::uint64_t beat, const Look& look) const noexcept {
  if (heard.at_ns == 0) {
    heard.beat = beat;
    heard.at_ns = look.now_ns;
    return;
  }
  heard.at_ns += look.stalled_ns;
  heard.raise_ns -= std::min(heard.raise_ns, look.watched_ns / kForgettingTimes);
  const std::uint64_t gap_ns = look.now_ns - heard.at_ns;
  if (beat != heard.beat) {
    heard.raise_ns = std::max(heard.raise_ns, raise_after(gap_ns));
    heard.beat = beat;
    heard.at_ns = look.now_ns;
    heard.late = heard.silent = false;
    return;
  }
  const bool was_late = heard.late;
  heard.late = gap_ns > options_.silence_timeout_ns + heard.raise_ns;
  heard.silent = heard.late && was_late;
}

std::uint64_t Observation::raise_after(std::uint64_t gap_ns) const noexcept {
  const std::uint64_t timeout_ns = options_.silence_timeout_ns;
  const std::uint64_t most_ns = (options_.most_timeouts - 1) * timeout_ns;
  return 2 * gap_ns > timeout_ns ? std::min(2 * gap_ns - timeout_ns, most_ns) : 0;
}

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
