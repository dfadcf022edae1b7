#include <gtest/gtest.h>

#include <algorithm>

#include "tools/sim/trace.hpp"
#include "tools/sim/variants.hpp"
#include "tools/sim/view_scenario.hpp"

namespace lockstep::sim {
namespace {

constexpr std::uint64_t kLeaver = 0b1000;

/// Four members of whom the last leaves, while they are busy.
ViewScenario departure(std::uint64_t seed) {
  ViewScenario scenario = one_change(2);
  scenario.mishaps.front().member = 3;
  scenario.seed = seed;
  scenario.founders = scenario.network.members = 4;
  scenario.network.delay_max_ns = 30'000;
  scenario.senders = {0, 1, 2, 3};
  scenario.members.push_back(scenario.members.front());
  return scenario;
}

Report run(const ViewScenario& scenario) {
  Trace trace(false);
  Report report = production::simulate_views(scenario, {}, trace);
  EXPECT_FALSE(report.violation.has_value()) << *report.violation << "\n"
                                             << describe(scenario) << "\n"
                                             << trace.last();
  return report;
}

// Whoever comes back late to a deadline of his own finds it passed, though the others had no time.
TEST(OwnDelay, AMachineThatStopsDuringAChangeEvictsNobody) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    ViewScenario scenario = departure(seed);
    const std::uint64_t at_ns = scenario.mishaps.front().at_ns + 400 * seed;
    for (std::uint32_t member = 0; member < 4; ++member) {
      scenario.mishaps.push_back({.kind = Mishap::Kind::pause,
                                  .at_ns = at_ns,
                                  .duration_ns = 20 * scenario.patience_ns + 300 * member,
                                  .member = (member + static_cast<std::uint32_t>(seed)) % 4});
    }
    EXPECT_EQ(run(scenario).evicted & ~kLeaver, 0U) << "seed " << seed;
  }
}

TEST(OwnDelay, AClockThatLeapsDuringAChangeEvictsNobody) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    ViewScenario scenario = departure(seed);
    scenario.mishaps.push_back({.kind = Mishap::Kind::jump,
                                .at_ns = scenario.mishaps.front().at_ns + 400 * seed,
                                .duration_ns = 3'600'000'000'000,
                                .member = static_cast<std::uint32_t>(seed) % 4});
    EXPECT_EQ(run(scenario).evicted & ~kLeaver, 0U) << "seed " << seed;
  }
}

/// `members` of whom those in `stopped` stand still, together, for much longer than the others
/// wait.
ViewScenario stop(std::uint64_t seed, std::uint32_t members, std::uint64_t stopped) {
  ViewScenario scenario = one_change(0);
  scenario.seed = seed;
  scenario.founders = scenario.network.members = members;
  // In the proportions of a real group.
  scenario.heartbeat_ns = 20'000;
  scenario.silence_ns = 20 * scenario.heartbeat_ns;
  scenario.patience_ns = scenario.heartbeat_ns / 10;
  scenario.senders.clear();
  scenario.members.resize(members, scenario.members.front());
  for (MemberPlan& plan : scenario.members) {
    plan.messages = 60;  // until all is over
    plan.pause_ns = 100'000;
  }
  scenario.mishaps.clear();
  for (std::uint32_t member = 0; member < members; ++member) {
    scenario.senders.push_back(member);
    // No two look at the same time.
    scenario.mishaps.push_back({.kind = Mishap::Kind::pause,
                                .at_ns = 1'000,
                                .duration_ns = (7 * member + seed) % 20 * 1'000,
                                .member = member});
    if ((stopped >> member & 1U) == 0) continue;
    scenario.mishaps.push_back({.kind = Mishap::Kind::pause,
                                .at_ns = 50'000 + 100 * seed,
                                .duration_ns = 4 * scenario.silence_ns + 200 * member,
                                .member = member});
  }
  std::ranges::sort(scenario.mishaps, {}, &Mishap::at_ns);
  return scenario;
}

// Without those who stand still there is no quorum. When they are back, the others' reports of them
// still stand: who acts on those goes on without the only ones that were well all the time.
TEST(OwnDelay, WhoComesBackLetsOthersTakeItsSilenceBack) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const Report two = run(stop(seed, 2, 0b01));
    EXPECT_EQ(two.views, 1U) << "seed " << seed;
    EXPECT_EQ(run(stop(seed, 3, 0b110)).evicted & 0b001U, 0U) << "seed " << seed;
    EXPECT_EQ(run(stop(seed, 3, 0b011)).evicted & 0b100U, 0U) << "seed " << seed;
    EXPECT_EQ(run(stop(seed, 5, 0b01110)).evicted & 0b10001U, 0U) << "seed " << seed;
  }
}

// Of two, rank 0 goes on alone; rank 1 has to wait.
TEST(TwoMembers, TheLossOfRankOneIsSurvived) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    EXPECT_EQ(run(stop(seed, 2, 0b10)).views, 2U) << "seed " << seed;
    ViewScenario crash = stop(seed, 2, 0b10);
    crash.mishaps.back().kind = Mishap::Kind::crash;
    EXPECT_EQ(run(crash).views, 2U) << "seed " << seed;
    crash.mishaps.back().member = 0;
    EXPECT_EQ(run(crash).views, 1U) << "seed " << seed;
  }
}

}  // namespace
}  // namespace lockstep::sim
