#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "examples/matching_engine/engine.hpp"
#include "examples/matching_engine/options.hpp"
#include "examples/matching_engine/order_source.hpp"
#include "examples/matching_engine/sighting.hpp"
#include "lockstep/error.hpp"
#include "tools/launch/histogram.hpp"
#include "tools/launch/shared_array.hpp"

namespace lockstep::examples {

/// What one member leaves for the parent. Lives in memory that processes share.
struct MemberResult {
  bool finished = false;  ///< the whole input was applied
  std::uint32_t resting_orders = 0;
  std::uint64_t digest = 0;
  EngineCounts counts;
  std::uint64_t wall_ns = 0;    ///< rank 0 or alone: first order published to last order applied
  launch::Histogram latency;    ///< rank 0 or alone
  std::array<char, 16> idle{};  ///< the idle policy in force
  std::array<char, 800> notices{};    ///< what the library tolerated, one a line
  std::array<char, 400> complaint{};  ///< why it failed; empty if it did not
};
static_assert(std::is_trivially_copyable_v<MemberResult>);

/// Everything the members and the parent share.
struct SharedRun {
  launch::SharedArray<MemberResult> results;  ///< one per rank
  launch::SharedArray<Sighting> sightings;    ///< one per rank
  launch::SharedArray<KillSighting> kill;     ///< one
};

/// Applies `source` to an engine directly, in this thread: no group. Errors: input, system.
Expected<void> run_alone(OrderSource& source, const FlowSummary& summary, const Options& options,
                         MemberResult& result);

/// The life of one member. Rank 0, the only sender, publishes `source` in order and then an
/// `end_of_input`; the others apply. Nobody leaves before all have applied the end. Whoever is
/// started again after a kill joins the group that runs, and gets the state. Returns the exit
/// status; `shared` gets the result or the complaint.
int run_member(std::uint32_t rank, OrderSource& source, const FlowSummary& summary,
               const Options& options, SharedRun& shared);

}  // namespace lockstep::examples
