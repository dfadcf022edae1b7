#pragma once

#include <cstdint>

#include "bench/session.hpp"
#include "lockstep/error.hpp"

namespace lockstep::bench {

/// What one member does from its start to its end, by scenario. Run in its own process or thread;
/// results go to the session.

/// Latency and throughput: joins the group and alternates subject and floor blocks.
Expected<void> group_body(Session& session, std::uint32_t rank);

/// Idle: joins the group, publishes nothing, and records which share of a core that took.
Expected<void> idle_body(Session& session, std::uint32_t rank);

/// Floor: both floors in turn, no group. Ranks 0 and 1 only.
Expected<void> floor_body(Session& session, std::uint32_t rank);

}  // namespace lockstep::bench
