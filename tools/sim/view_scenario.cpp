#include "tools/sim/view_scenario.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <string_view>

namespace lockstep::sim {
namespace {

using transports::Random;
using transports::WriteOrder;

/// Within this virtual time everything befalls the group; members publish all along.
constexpr std::uint64_t kEventfulNs = 1'500'000;

constexpr std::uint64_t bit(std::uint32_t member) { return std::uint64_t{1} << member; }

transports::SimOptions draw_network(Random& random) {
  transports::SimOptions options;
  options.members = static_cast<std::uint32_t>(random.between(3, 5));
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
  if (scenario.senders.empty()) scenario.senders.push_back(0);
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

Mishap draw_mishap(const ViewScenario& scenario, Random& random) {
  const std::uint32_t count = scenario.network.members;
  Mishap mishap;
  mishap.at_ns = random.between(20'000, kEventfulNs);
  mishap.member = static_cast<std::uint32_t>(random.below(count));
  const std::uint64_t others = (bit(count) - 1) & ~bit(mishap.member);
  mishap.duration_ns = random.between(1'000, 5 * scenario.silence_ns);
  mishap.peers = random.chance(500) ? others : random.next() & others;
  if (mishap.peers == 0) mishap.peers = others;
  constexpr Mishap::Kind kKinds[] = {
      Mishap::Kind::crash, Mishap::Kind::crash,   Mishap::Kind::pause,  Mishap::Kind::leave,
      Mishap::Kind::cut,   Mishap::Kind::cut_out, Mishap::Kind::accuse, Mishap::Kind::break_link,
  };
  mishap.kind = kKinds[random.below(std::size(kKinds))];
  return mishap;
}

// Everybody accuses everybody while the view changes, each for a moment: attempt upon attempt, of
// which several get as far as a proposal.
void draw_confusion(ViewScenario& scenario, Random& random, std::uint64_t from_ns) {
  const std::uint64_t count = random.between(5, 40);
  for (std::uint64_t i = 0; i < count; ++i) {
    Mishap mishap = draw_mishap(scenario, random);
    mishap.kind = Mishap::Kind::accuse;
    mishap.at_ns = from_ns + random.below(100'000);
    mishap.duration_ns = random.between(1'000, 30'000);
    if (random.chance(200)) mishap.kind = Mishap::Kind::cut_out;
    scenario.mishaps.push_back(mishap);
  }
}

// So many crash that the others can go on; who would be one too many only pauses.
void spare_a_quorum(ViewScenario& scenario) {
  std::uint32_t gone = 0;
  for (Mishap& mishap : scenario.mishaps) {
    const bool goes = mishap.kind == Mishap::Kind::crash || mishap.kind == Mishap::Kind::leave ||
                      mishap.kind == Mishap::Kind::break_link;
    if (!goes) continue;
    if (2 * ++gone >= scenario.network.members) mishap.kind = Mishap::Kind::pause;
  }
}

void draw_mishaps(ViewScenario& scenario, Random& random) {
  // The first one is there in every run: whatever else happens, the view has to change.
  Mishap first = draw_mishap(scenario, random);
  first.kind = random.chance(700) ? Mishap::Kind::crash : Mishap::Kind::leave;
  scenario.mishaps.push_back(first);
  const std::uint64_t more = random.below(4);
  for (std::uint64_t i = 0; i < more; ++i) {
    Mishap mishap = draw_mishap(scenario, random);
    // Most of them while the view is changing: at once after a crash, later after a silence.
    if (random.chance(700)) {
      const bool soon = random.chance(600);
      mishap.at_ns = first.at_ns + random.below(soon ? 40'000 : 2 * scenario.silence_ns);
    }
    if (random.chance(400)) {
      mishap.trigger = static_cast<Mishap::Trigger>(random.between(1, 3));
      mishap.at_ns = first.at_ns > 1'000 ? first.at_ns - 1'000 : 0;
      if (random.chance(600)) mishap.kind = Mishap::Kind::crash;
    }
    scenario.mishaps.push_back(mishap);
  }
  if (!random.chance(150)) spare_a_quorum(scenario);
  if (random.chance(500)) draw_confusion(scenario, random, first.at_ns);
  std::ranges::sort(scenario.mishaps, {}, &Mishap::at_ns);
}

std::string_view word(Mishap::Kind kind) {
  constexpr std::string_view kWords[] = {"crashes",          "pauses",          "leaves",
                                         "is cut off from",  "is not heard by", "accuses",
                                         "loses its link to"};
  return kWords[static_cast<std::size_t>(kind)];
}

std::string to_text(const Mishap& mishap) {
  std::vector<int> peers;
  for (std::uint64_t rest = mishap.peers; rest != 0; rest &= rest - 1) {
    peers.push_back(std::countr_zero(rest));
  }
  constexpr std::string_view kSteps[] = {"", "who promises next", "who accepts next",
                                         "who installs next"};
  const std::string who = mishap.trigger == Mishap::Trigger::time
                              ? std::to_string(mishap.member)
                              : std::string(kSteps[static_cast<std::size_t>(mishap.trigger)]);
  std::string text = fmt::format("at {} ns {} {}", mishap.at_ns, who, word(mishap.kind));
  using Kind = Mishap::Kind;
  const bool many =
      mishap.kind == Kind::cut || mishap.kind == Kind::cut_out || mishap.kind == Kind::accuse;
  if (many) text += fmt::format(" {}", peers);
  if (mishap.kind == Kind::break_link) text += fmt::format(" {}", peers.front());
  if (many || mishap.kind == Kind::pause) text += fmt::format(" for {} ns", mishap.duration_ns);
  return text;
}

}  // namespace

ViewScenario draw_view_scenario(std::uint64_t seed) {
  Random random(seed);
  ViewScenario scenario;
  scenario.seed = seed;
  scenario.network = draw_network(random);
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
  draw_mishaps(scenario, random);
  return scenario;
}

ViewScenario one_change(std::uint32_t leaver) {
  ViewScenario scenario;
  scenario.seed = leaver + 1;
  scenario.network.members = 3;
  scenario.network.delay_max_ns = 1'000;
  scenario.network.clog_permille = 0;
  scenario.network.slow_completion_permille = 0;
  scenario.senders = {0, 1, 2};
  for (std::uint32_t member = 0; member < 3; ++member) {
    MemberPlan plan;
    plan.messages = 12;
    plan.turn_ns = 400;
    plan.pause_ns = 2'000;
    scenario.members.push_back(plan);
  }
  scenario.sizes = Sizes::tiny;
  Mishap leave;
  leave.kind = Mishap::Kind::leave;
  leave.at_ns = 5'000;
  leave.member = leaver;
  scenario.mishaps.push_back(leave);
  return scenario;
}

std::string describe(const ViewScenario& scenario) {
  std::string text =
      fmt::format("{} members, rings of {} bytes, senders {}, silence {} ns, patience {} ns",
                  scenario.network.members, scenario.ring_bytes, scenario.senders,
                  scenario.silence_ns, scenario.patience_ns);
  for (const std::uint64_t death : scenario.deaths) {
    text += fmt::format("; who posts write {} of the change dies", death);
  }
  for (const Mishap& mishap : scenario.mishaps) text += "; " + to_text(mishap);
  return text;
}

}  // namespace lockstep::sim
