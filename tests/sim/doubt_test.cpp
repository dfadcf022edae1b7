#include <gtest/gtest.h>

#include "tools/sim/trace.hpp"
#include "tools/sim/variants.hpp"
#include "tools/sim/view_scenario.hpp"

namespace lockstep::sim {
namespace {

/// Five busy members of whom two crash, one a little after the other. Whoever leads the change that
/// the first death begins hangs until about the second one.
ViewScenario two_deaths(std::uint64_t seed) {
  ViewScenario scenario = one_change(0);
  scenario.seed = seed;
  scenario.founders = scenario.network.members = 5;
  scenario.network.delay_max_ns = 5'000;
  scenario.members.resize(5, scenario.members.front());
  scenario.senders = {0, 1, 2, 3, 4};
  const auto second = static_cast<std::uint32_t>(2 + seed % 3);
  scenario.mishaps = {{.kind = Mishap::Kind::crash, .at_ns = 20'000, .member = 0, .peers = 1},
                      {.kind = Mishap::Kind::pause,
                       .at_ns = 36'000,
                       .duration_ns = 24'000,
                       .member = 1,
                       .peers = 1},
                      {.kind = Mishap::Kind::crash,
                       .at_ns = 50'000 + seed % 64 * 200,
                       .member = second,
                       .peers = 1}};
  return scenario;
}

// Members notice a death one after another. Who noticed it before the arbiter accuses a member that
// the arbiter hears, and one of the two has to go: in doubt it waits until it knows which.
TEST(Doubt, TwoDeathsAtOnceCostNobodyElse) {
  for (std::uint64_t seed = 1; seed <= 2'000; ++seed) {
    Trace trace(false);
    const Report report = production::simulate_views(two_deaths(seed), {}, trace);
    EXPECT_FALSE(report.violation.has_value()) << "seed " << seed << ": " << *report.violation;
    EXPECT_EQ(report.evicted, 0U) << "seed " << seed;
  }
}

}  // namespace
}  // namespace lockstep::sim
