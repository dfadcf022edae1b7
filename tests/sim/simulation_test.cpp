#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "ordering/mutant.hpp"
#include "tools/sim/scenario.hpp"
#include "tools/sim/trace.hpp"
#include "tools/sim/variants.hpp"

namespace lockstep::sim {
namespace {

/// LOCKSTEP_SIM_SEEDS, or enough for a quick run.
std::uint64_t seeds() {
  const char* count = std::getenv("LOCKSTEP_SIM_SEEDS");
  return count == nullptr ? 100 : std::strtoull(count, nullptr, 10);
}

/// Seeds within which every mutant must be caught.
constexpr std::uint64_t kMutantSeeds = 200;

Report run(std::uint64_t seed, std::string_view mutant, Trace& trace) {
  const Scenario scenario = draw_scenario(seed);
  const bool twin = scenario.interleaved || !mutant.empty();
  return twin ? mutated::simulate(scenario, mutant, trace)
              : production::simulate(scenario, mutant, trace);
}

TEST(Simulation, TheProtocolKeepsItsInvariants) {
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
    Trace trace(false);
    const Report report = run(seed, {}, trace);
    ASSERT_FALSE(report.violation.has_value())
        << "seed " << seed << ": " << *report.violation << "\n"
        << describe(draw_scenario(seed)) << "\n"
        << trace.last();
  }
}

// Found by ci/long: rank 2 was in the next view, by what rank 0 said, before its own link to the
// crashed member told it.
TEST(Simulation, WhoHearsOfACrashFromAnotherNeedNotBeToldByItsLink) {
  constexpr std::uint64_t kSeed = 78'301;
  Trace trace(false);
  const Report report = run(kSeed, {}, trace);
  EXPECT_FALSE(report.violation.has_value()) << *report.violation;
}

TEST(Simulation, EveryRunDoesWork) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Scenario scenario = draw_scenario(seed);
    scenario.crash.reset();
    Trace trace(false);
    const Report report = production::simulate(scenario, {}, trace);
    EXPECT_GE(report.messages, 200U) << "seed " << seed;
    EXPECT_EQ(report.deliveries, report.messages * scenario.members.size()) << "seed " << seed;
  }
}

TEST(Simulation, OneSeedIsOneRun) {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
    Trace first(false);
    Trace second(false);
    const Report one = run(seed, {}, first);
    const Report other = run(seed, {}, second);
    EXPECT_EQ(one.virtual_ns, other.virtual_ns);
    EXPECT_EQ(one.deliveries, other.deliveries);
    EXPECT_EQ(first.last(), second.last());
  }
}

// The shipped code and its twin without faults are one protocol: where bytes arrive between turns
// only, they run alike.
TEST(Simulation, TheTwinIsTheShippedProtocol) {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
    Scenario scenario = draw_scenario(seed);
    scenario.interleaved = false;
    Trace shipped(false);
    Trace twin(false);
    const Report one = production::simulate(scenario, {}, shipped);
    const Report other = mutated::simulate(scenario, {}, twin);
    EXPECT_EQ(one.virtual_ns, other.virtual_ns);
    EXPECT_EQ(shipped.last(), twin.last());
  }
}

TEST(Simulation, SeedsCoverWhatAScenarioCanHave) {
  bool two = false;
  bool seven = false;
  bool one_sender = false;
  bool faults = false;
  bool crash = false;
  bool older_epoch = false;
  bool all_asleep = false;
  bool idle_sender = false;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Scenario scenario = draw_scenario(seed);
    two |= scenario.members.size() == 2;
    seven |= scenario.members.size() == 7;
    one_sender |= scenario.senders.size() == 1;
    faults |= scenario.faults.has_value();
    crash |= scenario.crash.has_value();
    older_epoch |= scenario.older_epoch;
    all_asleep |= std::ranges::all_of(scenario.members, &MemberPlan::sleeps);
    idle_sender |= std::ranges::any_of(
        scenario.senders, [&](std::uint32_t rank) { return scenario.members[rank].messages == 0; });
  }
  EXPECT_TRUE(two && seven && one_sender && faults && crash && older_epoch && all_asleep &&
              idle_sender);
}

class MutantTest : public testing::TestWithParam<std::string_view> {};

TEST_P(MutantTest, IsCaughtAndReplays) {
  for (std::uint64_t seed = 1; seed <= kMutantSeeds; ++seed) {
    Trace trace(false);
    const Report report = run(seed, GetParam(), trace);
    if (!report.violation.has_value()) continue;
    Trace replayed(false);
    EXPECT_EQ(run(seed, GetParam(), replayed).violation, report.violation);
    EXPECT_EQ(replayed.last(), trace.last());
    EXPECT_FALSE(trace.last().empty());
    RecordProperty("caught_by", *report.violation);
    return;
  }
  FAIL() << "no checker saw it in " << kMutantSeeds << " seeds";
}

std::vector<std::string_view> mutant_names() {
  std::vector<std::string_view> names;
  for (const auto& mutant : ordering::kMutants) names.push_back(mutant.name);
  return names;
}

std::string test_name(const testing::TestParamInfo<std::string_view>& mutant) {
  std::string name(mutant.param);
  std::ranges::replace(name, '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, MutantTest, testing::ValuesIn(mutant_names()), test_name);

TEST(Mutants, EachBreaksASentenceOfItsOwn) {
  EXPECT_GE(ordering::kMutants.size(), 10U);
  for (const auto& mutant : ordering::kMutants) {
    EXPECT_FALSE(mutant.sentence.empty()) << mutant.name;
    EXPECT_EQ(std::ranges::count(ordering::kMutants, mutant.name, &ordering::MutantSentence::name),
              1);
    EXPECT_EQ(std::ranges::count(ordering::kMutants, mutant.sentence,
                                 &ordering::MutantSentence::sentence),
              1);
  }
}

}  // namespace
}  // namespace lockstep::sim
