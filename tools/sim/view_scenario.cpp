#include "tools/sim/view_scenario.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/sim/mixture.hpp"

namespace lockstep::sim {
namespace {

using transports::Random;
using transports::WriteOrder;

transports::SimOptions draw_network(Random& random) {
  transports::SimOptions options;
  options.write_order = static_cast<WriteOrder>(random.below(3));
  options.delay_min_ns = random.between(50, 500);
  options.delay_max_ns = options.delay_min_ns + random.between(0, 5'000);
  options.queue_writes = static_cast<std::uint32_t>(random.between(2, 64));
  options.tear_permille = static_cast<std::uint32_t>(random.between(0, 1'000));
  options.tear_gap_ns = random.between(0, 4'000);
  options.clog_permille = random.chance(500) ? static_cast<std::uint32_t>(random.below(3)) : 0;
  options.clog_max_ns = random.chance(200) ? 400'000 : 50'000;
  if (random.chance(300)) options.slow_completion_permille = 200;
  return options;
}

void draw_members(ViewScenario& scenario, Random& random) {
  const std::uint32_t count = scenario.network.members;
  scenario.members.resize(count);
  const bool some_silent = random.chance(400);
  for (std::uint32_t member = 0; member < count; ++member) {
    if (!some_silent || random.chance(600)) scenario.senders.push_back(member);
  }
  const bool founder_sends = !scenario.senders.empty() && scenario.senders[0] < scenario.founders;
  if (!founder_sends) scenario.senders.insert(scenario.senders.begin(), 0);
  const std::uint64_t messages = random.between(200, 320);
  for (std::uint64_t i = 0; i < messages; ++i) {
    ++scenario.members[scenario.senders[random.below(scenario.senders.size())]].messages;
  }
  for (MemberPlan& plan : scenario.members) {
    plan.burst = static_cast<std::uint32_t>(random.chance(500) ? 1 : random.between(2, 12));
    plan.turn_ns = random.between(100, random.chance(200) ? 4'000 : 800);
    plan.sleeps = random.chance(500);
    // Messages last as long as there is trouble.
    const std::uint64_t bursts = plan.messages / plan.burst + 1;
    plan.pause_ns = 2 * kEventfulNs / bursts;
    if (random.chance(200)) plan.publish_in_apply_permille = 200;
    if (random.chance(300)) {
      plan.stall_permille = static_cast<std::uint32_t>(random.between(1, 10));
      plan.stall_max_ns = random.between(1'000, 60'000);
    }
  }
}

/// Now and then all who have the state crash, one after another, while those who came are still
/// loading it: enough for a quorum, who must not go on without it. From numbers of its own, so that
/// all other groups stay what they were.
void draw_orphans(ViewScenario& scenario, Random random) {
  if (scenario.network.members < scenario.founders + 2 || !random.chance(30)) return;
  scenario.mishaps.clear();
  scenario.loading_ns = 5'000'000;
  std::uint64_t at_ns = random.between(20'000, 200'000);
  for (std::uint32_t joiner = scenario.founders; joiner < scenario.network.members; ++joiner) {
    scenario.mishaps.push_back({.kind = Mishap::Kind::join,
                                .at_ns = at_ns,
                                .member = joiner,
                                .peers = std::uint64_t{1} << joiner});
  }
  for (std::uint32_t founder = 0; founder < scenario.founders; ++founder) {
    at_ns += random.between(100'000, 400'000);
    scenario.mishaps.push_back({.kind = Mishap::Kind::crash, .at_ns = at_ns, .member = founder});
  }
}

}  // namespace

ViewScenario draw_view_scenario(std::uint64_t seed) {
  Random random(seed);
  ViewScenario scenario;
  scenario.seed = seed;
  scenario.network = draw_network(random);
  scenario.founders = static_cast<std::uint32_t>(random.between(2, 5));
  // More than there are founders, now and then: most of them have to wait.
  const std::uint64_t most = scenario.founders == 2 ? 4 : 2;
  const auto joiners = static_cast<std::uint32_t>(random.chance(500) ? random.between(1, most) : 0);
  scenario.network.members = scenario.founders + joiners;
  scenario.loading_ns = random.between(1'000, random.chance(300) ? 1'000'000 : 50'000);
  scenario.ring_bytes = std::uint64_t{4'096} << random.below(2);
  scenario.silence_ns = random.between(60'000, 300'000);
  // Some are so impatient that attempts race each other.
  const bool hasty = random.chance(400);
  scenario.patience_ns = hasty ? random.between(2'000, 20'000) : random.between(20'000, 200'000);
  // Change upon change, while completions of the view before last are still due.
  if (random.chance(200)) scenario.network.clog_max_ns = 1'000'000;
  draw_members(scenario, random);
  scenario.sizes = static_cast<Sizes>(random.below(3));
  scenario.equal_bytes = random.below(200);
  scenario.mishaps = draw_mishaps(scenario.founders, joiners, scenario.silence_ns, random);
  draw_mixture(scenario.network, Random(~seed));
  draw_orphans(scenario, Random(seed ^ 0x6f72'7068'616e'73ULL));
  return scenario;
}

ViewScenario one_change(std::uint32_t leaver) {
  ViewScenario scenario;
  scenario.seed = leaver + 1;
  const bool joins = leaver == 3;
  scenario.founders = 3;
  scenario.network.members = joins ? 4 : 3;
  scenario.network.delay_max_ns = 1'000;
  scenario.network.clog_permille = 0;
  scenario.network.slow_completion_permille = 0;
  for (std::uint32_t member = 0; member < scenario.network.members; ++member) {
    scenario.senders.push_back(member);
    MemberPlan plan;
    plan.messages = 12;
    plan.turn_ns = 400;
    plan.pause_ns = 2'000;
    scenario.members.push_back(plan);
  }
  scenario.sizes = Sizes::tiny;
  Mishap leave;
  leave.kind = joins ? Mishap::Kind::join : Mishap::Kind::leave;
  leave.peers = 1U << leaver;
  leave.at_ns = 5'000;
  leave.member = leaver;
  scenario.mishaps.push_back(leave);
  return scenario;
}

std::string describe(const ViewScenario& scenario) {
  std::string text =
      fmt::format("{} members of {}, rings of {} bytes, senders {}, silence {} ns, patience {} ns",
                  scenario.founders, scenario.network.members, scenario.ring_bytes,
                  scenario.senders, scenario.silence_ns, scenario.patience_ns);
  text += describe_mixture(scenario.network);
  for (const std::uint64_t death : scenario.deaths) {
    text += fmt::format("; who posts write {} of the change dies", death);
  }
  for (const Mishap& mishap : scenario.mishaps) text += "; " + to_string(mishap);
  return text;
}

}  // namespace lockstep::sim
