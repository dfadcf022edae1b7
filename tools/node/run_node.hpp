#pragma once

#include "lockstep/error.hpp"
#include "tools/node/node_config.hpp"

namespace lockstep::node {

/// Runs one member until SIGINT or SIGTERM, then leaves in good order. Says each event in a line.
/// An evicted member comes back as a new incarnation. Who is not let in for a reason that may go
/// away tries again, 0.1 to 5 s later: others are absent or were lost, it took too long, or its
/// name or place is taken, in the first seconds only. Call it once, while the process has one
/// thread: it blocks the two signals and never unblocks them. A signal while there is no group ends
/// the process at once, with 0; a second one with 1.
///
/// Errors: those of Group::join and Group::leave, and of serving clients.
Expected<void> run_node(const NodeConfig& config);

}  // namespace lockstep::node
