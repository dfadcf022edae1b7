#pragma once

#include <string_view>

#include "tools/sim/report.hpp"
#include "tools/sim/scenario.hpp"
#include "tools/sim/trace.hpp"
#include "tools/sim/view_scenario.hpp"

// The two variants of the simulation (ordering/variant.hpp), for code that uses both and so can
// include neither. `mutant` is a name of ordering::kMutants, for views of
// membership::kMutants, or empty.
namespace lockstep::sim {

/// Over the code that is shipped. No mutant exists there.
inline namespace production {
Report simulate(const Scenario& scenario, std::string_view mutant, Trace& trace);
Report simulate_views(const ViewScenario& scenario, std::string_view mutant, Trace& trace);
}  // namespace production

/// Over its twin, in which faults can be switched on and bytes can arrive in the middle of a turn.
namespace mutated {
Report simulate(const Scenario& scenario, std::string_view mutant, Trace& trace);
Report simulate_views(const ViewScenario& scenario, std::string_view mutant, Trace& trace);
}  // namespace mutated

}  // namespace lockstep::sim
