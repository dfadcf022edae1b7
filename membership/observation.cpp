#include "membership/observation.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {

Observation::Observation(ordering::ViewOrder& order, std::uint32_t members, std::uint32_t my_rank,
                         const Options& options)
    : order_(order), options_(options), my_rank_(my_rank), heard_(members) {}

void Observation::beat_and_look(std::uint64_t now_ns) noexcept {
  const std::uint64_t interval = options_.heartbeat_interval_ns;
  // Everything before the first look, and what we missed while not running, does not count.
  const std::uint64_t since = last_ns_ == 0 ? now_ns : last_ns_;
  const std::uint64_t stalled = now_ns - since > 2 * interval ? now_ns - since - interval : 0;
  last_ns_ = now_ns;
  next_ns_ = now_ns + interval;
  order_.beat();
  silent_ = 0;
  for (std::uint32_t rank = 0; rank < heard_.size(); ++rank) {
    Heard& heard = heard_[rank];
    const std::uint64_t beat = order_.beat_of(rank);
    if (beat != heard.beat || heard.at_ns == 0) {
      heard.beat = beat;
      heard.at_ns = now_ns;
    } else {
      heard.at_ns += stalled;
    }
    const bool silent = now_ns > heard.at_ns + options_.silence_timeout_ns;
    if (silent && rank != my_rank_) silent_ |= std::uint64_t{1} << rank;
  }
}

bool Observation::take_silent(std::uint32_t& rank) noexcept {
  for (std::uint32_t i = 0; i < heard_.size(); ++i) {
    Heard& heard = heard_[i];
    if ((silent_ >> i & 1U) == 0 || heard.reported) continue;
    heard.reported = true;
    rank = i;
    return true;
  }
  return false;
}

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
