#include "tools/sim/scenario.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>

#include "tools/sim/mixture.hpp"

namespace lockstep::sim {
namespace {

using transports::Random;
using transports::WriteOrder;

constexpr std::uint32_t kMinMessages = 200;
constexpr std::uint32_t kMaxMessages = 320;

transports::SimOptions draw_network(Random& random) {
  transports::SimOptions options;
  options.members = static_cast<std::uint32_t>(random.between(2, 7));
  options.write_order = static_cast<WriteOrder>(random.below(3));
  options.delay_min_ns = random.between(50, 500);
  options.delay_max_ns = options.delay_min_ns + random.between(0, 5'000);
  options.queue_writes = static_cast<std::uint32_t>(random.between(2, 64));
  options.tear_permille = static_cast<std::uint32_t>(random.between(0, 1'000));
  options.tear_gap_ns = random.between(0, 4'000);
  options.clog_permille = static_cast<std::uint32_t>(random.between(0, 5));
  return options;
}

// All send, one sends, some send, or all may but some do not.
void draw_senders(Scenario& scenario, Random& random) {
  const std::uint32_t members = scenario.network.members;
  const std::uint64_t kind = random.below(4);
  const auto only = static_cast<std::uint32_t>(random.below(members));
  for (std::uint32_t rank = 0; rank < members; ++rank) {
    const bool may_send =
        kind == 0 || kind == 3 || rank == only || (kind == 2 && random.chance(500));
    if (may_send) scenario.senders.push_back(rank);
  }
  std::vector<std::uint32_t> active;
  for (const std::uint32_t rank : scenario.senders) {
    const bool is_idle = kind == 3 && rank != only && random.chance(500);
    if (!is_idle) active.push_back(rank);
  }
  const std::uint64_t messages = random.between(kMinMessages, kMaxMessages);
  for (std::uint64_t i = 0; i < messages; ++i) {
    ++scenario.members[active[random.below(active.size())]].messages;
  }
}

void draw_habits(Scenario& scenario, Random& random) {
  const bool all_sleep = random.chance(300);
  const bool slow_group = random.chance(200);
  for (MemberPlan& plan : scenario.members) {
    plan.burst = static_cast<std::uint32_t>(random.chance(500) ? 1 : random.between(2, 20));
    const bool is_slow = random.chance(250);
    plan.pause_ns = slow_group || is_slow ? random.below(10'000) : random.below(500);
    plan.sleeps = all_sleep || random.chance(500);
    plan.turn_ns = random.between(100, random.chance(200) ? 4'000 : 800);
    if (random.chance(300)) {
      plan.stall_permille = static_cast<std::uint32_t>(random.between(1, 20));
      plan.stall_max_ns = random.between(1'000, 100'000);
    }
    if (random.chance(200)) plan.publish_in_apply_permille = 500;
    if (random.chance(300)) plan.slow_apply_permille = 200;
  }
}

std::string_view word(WriteOrder order) {
  switch (order) {
    case WriteOrder::first_word_last:
      return "first word last";
    case WriteOrder::ascending:
      return "ascending";
    case WriteOrder::unordered:
      return "unordered";
  }
  return {};
}

std::string_view word(Sizes sizes) {
  constexpr std::string_view kWords[] = {"equal", "tiny", "mixed", "large"};
  return kWords[static_cast<std::size_t>(sizes)];
}

}  // namespace

Scenario draw_scenario(std::uint64_t seed) {
  Random random(seed);
  Scenario scenario;
  scenario.seed = seed;
  scenario.network = draw_network(random);
  scenario.ring_bytes = std::uint64_t{4'096} << random.below(3);
  scenario.members.resize(scenario.network.members);
  draw_senders(scenario, random);
  draw_habits(scenario, random);
  scenario.sizes = static_cast<Sizes>(random.below(4));
  scenario.equal_bytes = random.below(200);
  if (random.chance(200)) scenario.faults = transports::FaultPlan{.seed = random.next()};
  scenario.older_epoch = random.chance(150);
  scenario.interleaved = random.chance(500);
  if (random.chance(100)) {
    scenario.crash =
        CrashPlan{.rank = static_cast<std::uint32_t>(random.below(scenario.network.members)),
                  .at_ns = random.between(1'000, 200'000)};
  }
  draw_mixture(scenario.network, Random(~seed));
  return scenario;
}

std::size_t draw_payload_bytes(const Scenario& scenario, Random& random, std::size_t largest) {
  switch (scenario.sizes) {
    case Sizes::equal:
      return scenario.equal_bytes;
    case Sizes::tiny:
      return random.below(17);
    case Sizes::mixed:
      return random.chance(900) ? random.below(200) : random.below(largest + 1);
    case Sizes::large:
      return random.chance(50) ? largest : random.below(largest + 1);
  }
  return 0;
}

std::string describe(const Scenario& scenario) {
  std::vector<std::uint32_t> messages;
  std::vector<std::uint32_t> sleepers;
  for (std::uint32_t rank = 0; rank < scenario.members.size(); ++rank) {
    messages.push_back(scenario.members[rank].messages);
    if (scenario.members[rank].sleeps) sleepers.push_back(rank);
  }
  std::string text = fmt::format(
      "{} members, rings of {} bytes, writes {}, payloads {}; senders {}, messages by rank {}, "
      "sleepers {}",
      scenario.members.size(), scenario.ring_bytes, word(scenario.network.write_order),
      word(scenario.sizes), scenario.senders, messages, sleepers);
  text += describe_mixture(scenario.network);
  if (scenario.faults) text += "; link faults";
  if (scenario.older_epoch) text += "; rings hold an older epoch";
  if (scenario.interleaved) text += "; bytes arrive within turns";
  if (scenario.crash) {
    text += fmt::format("; rank {} crashes at {} ns", scenario.crash->rank, scenario.crash->at_ns);
  }
  return text;
}

}  // namespace lockstep::sim
