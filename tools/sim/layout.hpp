#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "membership/table.hpp"
#include "ordering/variant.hpp"
#include "ordering/view_order.hpp"
#include "tools/sim/scenario.hpp"
#include "transports/sim/random.hpp"

namespace lockstep::sim::inline LOCKSTEP_VARIANT {

/// The scenario's network, with memory for its rings and tables.
inline transports::SimOptions network_options(const Scenario& scenario) {
  transports::SimOptions options = scenario.network;
  options.region_bytes = membership::region_bytes(scenario.ring_bytes);
  options.source_bytes = transports::kRegionCopies * scenario.ring_bytes;
  return options;
}

/// What the members of a scenario agree on, as `rank` sees it.
inline ordering::ViewLayout layout_of(const Scenario& scenario, std::uint32_t rank,
                                      const std::vector<std::uint64_t>& nonces) {
  return {.members = scenario.network.members,
          .my_rank = rank,
          .senders = scenario.senders,
          .ring_bytes = scenario.ring_bytes,
          .nonces = nonces,
          .copy = 0};
}

inline std::vector<std::uint64_t> draw_nonces(const Scenario& scenario,
                                              transports::Random& random) {
  std::vector<std::uint64_t> nonces;
  for (std::uint32_t i = 0; i < scenario.network.members; ++i) nonces.push_back(random.next());
  return nonces;
}

}  // namespace lockstep::sim::inline LOCKSTEP_VARIANT
