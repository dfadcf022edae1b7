#include <gtest/gtest.h>

#include <algorithm>

#include "tools/sim/trace.hpp"
#include "tools/sim/variants.hpp"
#include "tools/sim/view_scenario.hpp"

namespace lockstep::sim {
namespace {

constexpr std::uint64_t kDisagreementNs = 5'000'000;

Mishap mishap(Mishap::Kind kind, std::uint64_t at_ns, std::uint32_t member, std::uint64_t peers) {
  Mishap mishap;
  mishap.kind = kind;
  mishap.at_ns = at_ns;
  mishap.duration_ns = kDisagreementNs;
  mishap.member = member;
  mishap.peers = peers;
  return mishap;
}

/// Five members of whom 0 leaves out 1, and 1 and 2 leave out 0, which does not get to know: what 1
/// and 2 post does not reach it. Through 3 and 4 they see each other's attempts. Neither gets
/// further, since neither sees the promise of 2.
ViewScenario disagreement(std::uint64_t seed) {
  ViewScenario scenario;
  scenario.seed = seed;
  scenario.founders = scenario.network.members = 5;
  scenario.network.delay_max_ns = 2'000;
  scenario.network.clog_permille = 0;
  scenario.senders = {0, 1, 2, 3, 4};
  scenario.silence_ns = 2 * kDisagreementNs;
  for (std::uint32_t member = 0; member < 5; ++member) {
    MemberPlan plan;
    plan.messages = 40;
    plan.turn_ns = 400;
    plan.pause_ns = 10'000;
    scenario.members.push_back(plan);
  }
  scenario.mishaps = {
      mishap(Mishap::Kind::cut_out, 80'000, 1, 0b00001),
      mishap(Mishap::Kind::cut_out, 80'000, 2, 0b00001),
      mishap(Mishap::Kind::accuse, 100'000, 2, 0b00001),
      // By now 1 has seen what 2 reports.
      mishap(Mishap::Kind::cut_out, 120'000, 2, 0b00010),
      mishap(Mishap::Kind::accuse, 120'000, 1, 0b00001),
      mishap(Mishap::Kind::accuse, 120'000, 0, 0b00010),
  };
  return scenario;
}

// Two members with different reports open attempts in turn. Each round has to last twice as long as
// the one before, whatever a round trip takes: five milliseconds are six doublings of the patience.
TEST(Outbidding, RoundsOfADisagreementAreFew) {
  std::uint64_t most = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Trace trace(false);
    const Report report = production::simulate_views(disagreement(seed), {}, trace);
    EXPECT_FALSE(report.violation.has_value()) << "seed " << seed << ": " << *report.violation;
    most = std::max(most, report.attempts);
  }
  EXPECT_GE(most, 3U) << "nobody disagreed";
  EXPECT_LE(most, 10U);
}

}  // namespace
}  // namespace lockstep::sim
