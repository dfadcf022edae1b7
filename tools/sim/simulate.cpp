#include <algorithm>
#include <string_view>

#include "ordering/mutant.hpp"
#include "runtime/assert.hpp"
#include "tools/sim/simulation.hpp"

namespace lockstep::sim::inline LOCKSTEP_VARIANT {

// Declared in variants.hpp, which cannot be included here: there one variant is not inline.
Report simulate(const Scenario& scenario, std::string_view mutant, Trace& trace);

Report simulate(const Scenario& scenario, std::string_view mutant, Trace& trace) {
#ifdef LOCKSTEP_MUTANTS
  const auto found = std::ranges::find(ordering::kMutants, mutant, &ordering::MutantSentence::name);
  const bool known = mutant.empty() || found != ordering::kMutants.end();
  LOCKSTEP_ASSERT(known);
  ordering::active_mutant = mutant.empty() ? ordering::Mutant::none : found->mutant;
#else
  LOCKSTEP_ASSERT(mutant.empty());
#endif
  Simulation simulation(scenario, trace);
  return simulation.run();
}

}  // namespace lockstep::sim::inline LOCKSTEP_VARIANT
