#pragma once

#include <algorithm>
#include <cstdint>

#include "ordering/variant.hpp"
#include "ordering/view_order.hpp"

namespace lockstep::sim::inline LOCKSTEP_VARIANT {

/// Whether a member's row says more than the member holds of any stream. The next views use the
/// same memory and begin above all that is held: a word beyond that would count there.
inline bool shows_more_than_it_holds(const ordering::ViewOrder& order) {
  const ordering::RoundRobin turns(order.stream_count());
  std::uint64_t most = 0;
  for (std::uint32_t stream = 0; stream < order.stream_count(); ++stream) {
    most = std::max(most, turns.sequence(order.received_of(stream), stream));
  }
  return order.shown_sequence() > most;
}

}  // namespace lockstep::sim::inline LOCKSTEP_VARIANT
