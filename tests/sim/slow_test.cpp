#include <gtest/gtest.h>

#include <initializer_list>

#include "tools/sim/trace.hpp"
#include "tools/sim/variants.hpp"
#include "tools/sim/view_scenario.hpp"

namespace lockstep::sim {
namespace {

struct Opinion {
  std::uint32_t of;
  std::uint64_t about;  ///< a bit each
};

/// Three busy members, some of whom find others slow.
Report run(std::uint64_t seed, std::initializer_list<Opinion> opinions) {
  ViewScenario scenario = one_change(0);
  scenario.seed = seed;
  scenario.mishaps.clear();
  std::uint64_t at_ns = 20'000;
  for (const Opinion& opinion : opinions) {
    scenario.mishaps.push_back({.kind = Mishap::Kind::find_slow,
                                .at_ns = at_ns += 10'000,
                                .member = opinion.of,
                                .peers = opinion.about});
  }
  // Time for them to act on it: a run ends when nothing more befalls anybody.
  scenario.mishaps.push_back({.kind = Mishap::Kind::pause, .at_ns = 300'000, .member = 0});
  Trace trace(false);
  Report report = production::simulate_views(scenario, {}, trace);
  EXPECT_FALSE(report.violation.has_value()) << "seed " << seed << ": " << *report.violation;
  return report;
}

constexpr std::uint64_t kSeeds = 200;

TEST(SlowMember, GoesWhenAllOthersSaySo) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Report report = run(seed, {{0, 0b010}, {2, 0b010}});
    EXPECT_EQ(report.evicted, 0b010U) << "seed " << seed;
    EXPECT_EQ(report.views, 2U);
  }
}

TEST(SlowMember, StaysWhenOnlyOneSaysSo) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    EXPECT_EQ(run(seed, {{0, 0b010}}).evicted, 0U) << "seed " << seed;
  }
}

TEST(SlowMember, ToWhomAllOthersSeemSlowAccusesNobody) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    EXPECT_EQ(run(seed, {{1, 0b101}}).evicted, 0U) << "seed " << seed;
    EXPECT_EQ(run(seed, {{1, 0b101}, {0, 0b010}, {2, 0b010}}).evicted, 0b010U) << "seed " << seed;
  }
}

}  // namespace
}  // namespace lockstep::sim
