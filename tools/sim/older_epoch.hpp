#pragma once

#include <cstdint>

#include "ordering/variant.hpp"
#include "tools/sim/scenario.hpp"
#include "transports/sim/sim_network.hpp"

namespace lockstep::sim::inline LOCKSTEP_VARIANT {

/// Leaves in the rings of `network`, which nobody uses yet, what another epoch of the same group
/// would have left: frames that were right under its nonces. Rows stay zero, as a new epoch finds
/// them.
void fill_with_older_epoch(const Scenario& scenario, transports::SimNetwork& network);

}  // namespace lockstep::sim::inline LOCKSTEP_VARIANT
