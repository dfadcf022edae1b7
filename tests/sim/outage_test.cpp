#include <gtest/gtest.h>

#include <algorithm>

#include "tools/sim/trace.hpp"
#include "tools/sim/variants.hpp"
#include "tools/sim/view_scenario.hpp"

namespace lockstep::sim {
namespace {

/// Four busy members, of whom one leaves. All links of all of them go down, each at its own time.
ViewScenario outage_of_all(std::uint64_t seed, std::uint64_t leave_ns, std::uint64_t outage_ns) {
  ViewScenario scenario = one_change(3);
  scenario.seed = seed;
  scenario.founders = 4;
  scenario.mishaps = {
      {.kind = Mishap::Kind::leave, .at_ns = leave_ns, .member = 3, .peers = 0b1000}};
  for (std::uint32_t member = 0; member < 4; ++member) {
    scenario.mishaps.push_back({.kind = Mishap::Kind::outage,
                                .at_ns = outage_ns + 97 * (seed * (member + 1) % 16),
                                .duration_ns = 50'000 + seed % 7 * 40'000,
                                .member = member,
                                .peers = 0b1111U & ~(1U << member)});
  }
  std::ranges::sort(scenario.mishaps, {}, &Mishap::at_ns);
  return scenario;
}

Report run(const ViewScenario& scenario) {
  Trace trace(false);
  Report report = production::simulate_views(scenario, {}, trace);
  EXPECT_FALSE(report.violation.has_value())
      << "seed " << scenario.seed << ": " << *report.violation << "\n"
      << trace.last();
  return report;
}

// A switch restarts: nobody hears anybody, nobody has a quorum, and no link comes back by itself.
// Who hears enough of the others again goes on with them, and need not wait for the last.
TEST(Outage, OfAllLinksEndsInAViewOfAQuorum) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const Report report = run(outage_of_all(seed, 600'000, 20'000));
    EXPECT_GE(report.mended, 4U) << "seed " << seed;
    EXPECT_GE(report.views, 2U) << "seed " << seed;
  }
}

// Then some are in the next view, and others are not: what was sent in it over a link that broke is
// not there, and does not come.
TEST(Outage, DuringAChangeOfViewLosesNothing) {
  std::uint64_t mended = 0;
  for (std::uint64_t seed = 1; seed <= 2'000; ++seed) {
    mended += run(outage_of_all(seed, 20'000, 18'000 + seed * 13 % 8'000)).mended;
  }
  EXPECT_GE(mended, 4'000U);
}

}  // namespace
}  // namespace lockstep::sim
