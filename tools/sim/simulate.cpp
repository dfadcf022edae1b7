#include <algorithm>
#include <string_view>

#include "membership/mutant.hpp"
#include "ordering/mutant.hpp"
#include "runtime/assert.hpp"
#include "tools/sim/simulation.hpp"
#include "tools/sim/view_simulation.hpp"

namespace lockstep::sim::inline LOCKSTEP_VARIANT {
namespace {

/// Switches one fault on, or all off; in the shipped code there is none.
void set_mutants(std::string_view order, std::string_view views) {
#ifdef LOCKSTEP_MUTANTS
  const auto find = [](const auto& sentences, std::string_view name, auto& active) {
    using Sentence = typename std::remove_cvref_t<decltype(sentences)>::value_type;
    active = {};
    if (name.empty()) return;
    const auto found = std::ranges::find(sentences, name, &Sentence::name);
    LOCKSTEP_ASSERT(found != sentences.end());
    active = found->mutant;
  };
  find(ordering::kMutants, order, ordering::active_mutant);
  find(membership::kMutants, views, membership::active_mutant);
#else
  LOCKSTEP_ASSERT(order.empty() && views.empty());
#endif
}

}  // namespace

// Declared in variants.hpp, which cannot be included here: there one variant is not inline.
Report simulate(const Scenario& scenario, std::string_view mutant, Trace& trace);
Report simulate_views(const ViewScenario& scenario, std::string_view mutant, Trace& trace);

Report simulate(const Scenario& scenario, std::string_view mutant, Trace& trace) {
  set_mutants(mutant, {});
  Simulation simulation(scenario, trace);
  return simulation.run();
}

Report simulate_views(const ViewScenario& scenario, std::string_view mutant, Trace& trace) {
  set_mutants({}, mutant);
  ViewSimulation simulation(scenario, trace);
  return simulation.run();
}

}  // namespace lockstep::sim::inline LOCKSTEP_VARIANT
