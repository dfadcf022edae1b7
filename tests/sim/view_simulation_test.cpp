#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "membership/mutant.hpp"
#include "tools/sim/trace.hpp"
#include "tools/sim/variants.hpp"
#include "tools/sim/view_scenario.hpp"

namespace lockstep::sim {
namespace {

/// LOCKSTEP_SIM_SEEDS, or enough for a quick run.
std::uint64_t seeds() {
  const char* count = std::getenv("LOCKSTEP_SIM_SEEDS");
  return count == nullptr ? 200 : std::strtoull(count, nullptr, 10);
}

/// Seeds within which every mutant must be caught.
constexpr std::uint64_t kMutantSeeds = 5'000;

TEST(ViewSimulation, TheProtocolKeepsItsInvariants) {
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
    Trace trace(false);
    const ViewScenario scenario = draw_view_scenario(seed);
    const Report report = production::simulate_views(scenario, {}, trace);
    ASSERT_FALSE(report.violation.has_value())
        << "seed " << seed << ": " << *report.violation << "\n"
        << describe(scenario) << "\n"
        << trace.last();
  }
}

// Of two members rank 0 cannot be spared: then there is nothing to change.
TEST(ViewSimulation, MostRunsChangeTheirView) {
  std::uint64_t runs = 0;
  std::uint64_t changed = 0;
  std::uint64_t twice = 0;
  std::uint64_t pairs_changed = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    const ViewScenario scenario = draw_view_scenario(seed);
    Trace trace(false);
    const std::uint64_t views = production::simulate_views(scenario, {}, trace).views;
    const bool is_pair = scenario.founders == 2;
    runs += is_pair ? 0 : 1;
    changed += !is_pair && views > 1 ? 1 : 0;
    twice += views > 2 ? 1 : 0;
    pairs_changed += is_pair && views > 1 ? 1 : 0;
  }
  EXPECT_GE(10 * changed, 9 * runs);
  EXPECT_GE(twice, 45U);
  EXPECT_GE(pairs_changed, 10U);
}

TEST(ViewSimulation, OneSeedIsOneRun) {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
    Trace first(false);
    Trace second(false);
    const Report one = production::simulate_views(draw_view_scenario(seed), {}, first);
    const Report other = mutated::simulate_views(draw_view_scenario(seed), {}, second);
    EXPECT_EQ(one.virtual_ns, other.virtual_ns);
    EXPECT_EQ(first.last(), second.last());
  }
}

TEST(ViewSimulation, SeedsCoverWhatAScenarioCanHave) {
  std::uint64_t kinds = 0;
  std::uint64_t triggers = 0;
  std::uint64_t members = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const ViewScenario scenario = draw_view_scenario(seed);
    members |= std::uint64_t{1} << scenario.founders;
    for (const Mishap& mishap : scenario.mishaps) {
      kinds |= std::uint64_t{1} << static_cast<std::uint32_t>(mishap.kind);
      triggers |= std::uint64_t{1} << static_cast<std::uint32_t>(mishap.trigger);
    }
  }
  EXPECT_EQ(kinds, 0b11'1111'1111U);
  EXPECT_EQ(triggers, 0b1111U);
  EXPECT_EQ(members, 0b11'1100U);
}

/// Whether a death at any one write of a change of view shows a violation.
bool any_single_death_shows(std::string_view mutant) {
  for (std::uint32_t leaver = 0; leaver < kChanges; ++leaver) {
    Trace trace(false);
    const std::uint64_t operations =
        production::simulate_views(one_change(leaver), {}, trace).operations;
    EXPECT_GE(operations, 50U);
    for (std::uint64_t death = 0; death < operations; ++death) {
      ViewScenario scenario = one_change(leaver);
      scenario.deaths = {death};
      const Report report = mutated::simulate_views(scenario, mutant, trace);
      if (report.violation.has_value()) return true;
    }
  }
  return false;
}

TEST(ViewSimulation, SurvivesADeathAtEveryWriteOfAChange) {
  EXPECT_FALSE(any_single_death_shows({}));
}

TEST(ViewSimulation, DeathsAtEveryWriteFindMistakes) {
  EXPECT_TRUE(any_single_death_shows("no-wedge"));
  EXPECT_TRUE(any_single_death_shows("trim-by-own"));
}

class ViewMutantTest : public testing::TestWithParam<std::string_view> {};

TEST_P(ViewMutantTest, IsCaughtAndReplays) {
  for (std::uint64_t seed = 1; seed <= kMutantSeeds; ++seed) {
    const ViewScenario scenario = draw_view_scenario(seed);
    Trace trace(false);
    const Report report = mutated::simulate_views(scenario, GetParam(), trace);
    if (!report.violation.has_value()) continue;
    Trace replayed(false);
    EXPECT_EQ(mutated::simulate_views(scenario, GetParam(), replayed).violation, report.violation);
    EXPECT_EQ(replayed.last(), trace.last());
    RecordProperty("caught_by", *report.violation);
    return;
  }
  FAIL() << "no checker saw it in " << kMutantSeeds << " seeds";
}

std::vector<std::string_view> mutant_names() {
  std::vector<std::string_view> names;
  for (const auto& mutant : membership::kMutants) names.push_back(mutant.name);
  return names;
}

std::string test_name(const testing::TestParamInfo<std::string_view>& mutant) {
  std::string name(mutant.param);
  std::ranges::replace(name, '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, ViewMutantTest, testing::ValuesIn(mutant_names()), test_name);

TEST(ViewMutants, EachBreaksASentenceOfItsOwn) {
  EXPECT_GE(membership::kMutants.size(), 25U);
  for (const auto& mutant : membership::kMutants) {
    EXPECT_FALSE(mutant.sentence.empty()) << mutant.name;
    const auto same = std::ranges::count(membership::kMutants, mutant.sentence,
                                         &membership::MutantSentence::sentence);
    EXPECT_EQ(same, 1) << mutant.name;
  }
}

}  // namespace
}  // namespace lockstep::sim
