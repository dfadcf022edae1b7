#pragma once

#include <cstdint>

#include "ordering/variant.hpp"
#include "tools/sim/scenario.hpp"
#include "transports/sim/sim_network.hpp"

namespace lockstep::sim::inline LOCKSTEP_VARIANT {

/// Leaves in the memory of `network`, which nobody uses yet, what the same group left there two
/// views ago: frames that were right under its nonces, rows of the table by which it agreed. The
/// hot lines stay zero: their words go on from view to view, and here every view starts at 0.
void fill_with_older_epoch(const Scenario& scenario, transports::SimNetwork& network);

}  // namespace lockstep::sim::inline LOCKSTEP_VARIANT
