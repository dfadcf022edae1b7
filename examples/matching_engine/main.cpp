#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "examples/matching_engine/failover.hpp"
#include "examples/matching_engine/generator.hpp"
#include "examples/matching_engine/options.hpp"
#include "examples/matching_engine/order_source.hpp"
#include "examples/matching_engine/report.hpp"
#include "examples/matching_engine/run.hpp"
#include "tools/launch/local_addresses.hpp"
#include "tools/launch/members.hpp"
#include "tools/launch/shared_array.hpp"
#include "tools/launch/whole_file.hpp"

namespace lockstep::examples {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

Expected<std::unique_ptr<OrderSource>> open_source(const Options& options) {
  if (options.input.empty()) {
    return std::make_unique<OrderGenerator>(options.seed, options.orders);
  }
  auto file = open_order_file(options.input, options.format);
  if (!file || options.orders == 0) return file;
  return first_orders(std::move(*file), options.orders);
}

/// Names the members and, so that two runs at a time on one host do not meet, the group.
Expected<void> complete_config(Options& options) {
  GroupConfig& group = options.config.group;
  if (group.name == GroupConfig{}.name) group.name = fmt::format("matching-engine-{}", getpid());
  group.members.clear();
  for (std::uint32_t rank = 0; rank < options.members; ++rank) {
    group.members.push_back(fmt::format("engine-{}", rank));
  }
  group.senders = {group.members[0]};
  group.application = fmt::format("matching engine of {} orders", options.book_orders);
  group.self = group.members[0];
  if (group.addresses.empty()) {
    auto addresses = launch::local_addresses(group.transport, options.members, options.hosts);
    if (!addresses) return std::unexpected(addresses.error());
    group.addresses = std::move(*addresses);
  }
  if (auto valid = validate(options.config.reactor); !valid) return valid;
  return validate(group);
}

/// A thread that outstayed its time still uses what the caller is about to destroy: there is
/// nothing left but to say so and to go.
void leave_if_threads_remain(const Options& options, const std::vector<launch::MemberEnd>& ends) {
  if (options.as != launch::As::threads) return;
  bool remain = false;
  for (const launch::MemberEnd& end : ends) {
    if (end.ending == launch::Ending::exited) continue;
    remain = true;
    fmt::print(stderr, "matching_engine: rank {}: {}\n", end.rank, end.words);
  }
  if (!remain) return;
  std::fflush(nullptr);
  _exit(EXIT_FAILURE);
}

Expected<std::vector<launch::MemberEnd>> run_replicated(OrderSource& source,
                                                        const FlowSummary& summary,
                                                        const Options& options, SharedRun& shared) {
  const std::uint64_t paced_ns =
      options.speed_up == 0 ? 0 : (summary.last_time_ns - summary.first_time_ns) / options.speed_up;
  const std::uint64_t timeout_ns = paced_ns + options.timeout_s * kNsPerSecond;
  const auto body = [&](std::uint32_t rank) {
    return run_member(rank, source, summary, options, shared);
  };
  if (options.kill) {
    const Sighting& victim = shared.sightings[*options.kill];
    const launch::Strike strike{.rank = *options.kill,
                                .due =
                                    [&] {
                                      return seen(victim.joined_ns) != 0 &&
                                             seen(victim.orders) >= summary.orders / 2;
                                    },
                                .about_to_kill = [&] { show(shared.kill[0].killed_ns, now_ns()); }};
    return launch::run_members_and_strike(options.members, timeout_ns, body, strike);
  }
  // Who is left goes on to the end, if it is a quorum.
  auto ends = launch::run_members(options.members, options.as, timeout_ns, body, timeout_ns);
  if (ends) leave_if_threads_remain(options, *ends);
  return ends;
}

Expected<bool> run(Options& options) {
  auto source = open_source(options);
  if (!source) return std::unexpected(source.error());
  const auto summary = check_whole(**source);
  if (!summary) return std::unexpected(summary.error());
  auto results = launch::SharedArray<MemberResult>::create(options.members);
  if (!results) return std::unexpected(results.error());
  auto sightings = launch::SharedArray<Sighting>::create(options.members);
  if (!sightings) return std::unexpected(sightings.error());
  auto kill = launch::SharedArray<KillSighting>::create(1);
  if (!kill) return std::unexpected(kill.error());
  SharedRun shared{std::move(*results), std::move(*sightings), std::move(*kill)};

  std::vector<launch::MemberEnd> ends;
  Options alone_options = options;
  if (options.members > 1) {
    if (auto completed = complete_config(options); !completed) {
      return std::unexpected(completed.error());
    }
    auto ran = run_replicated(**source, *summary, options, shared);
    if (!ran) return std::unexpected(ran.error());
    ends = std::move(*ran);
    (*source)->rewind();
    alone_options.speed_up = 0;  // only its digest and its own speed are wanted
  }
  const auto alone = std::make_unique<MemberResult>();
  if (auto ran = run_alone(**source, *summary, alone_options, *alone); !ran) {
    return std::unexpected(ran.error());
  }
  const std::optional<Failover> failover =
      options.kill ? failover_of(*options.kill, shared) : std::nullopt;
  const Report report(options, *summary, *alone, shared.results.elements().first(ends.size()), ends,
                      failover);
  fmt::print("{}", report.table());
  std::fflush(stdout);
  if (!options.json.empty()) {
    if (auto written = launch::write_whole(options.json, report.json()); !written) {
      return std::unexpected(written.error());
    }
  }
  return report.good();
}

}  // namespace
}  // namespace lockstep::examples

int main(int count, char** arguments) {
  using namespace lockstep::examples;
  Options options;
  int status = EXIT_SUCCESS;
  if (!parse_options(count, arguments, options, status)) return status;
  const auto good = run(options);
  if (!good) fmt::print(stderr, "matching_engine: {}\n", good.error().message);
  return good.value_or(false) ? EXIT_SUCCESS : EXIT_FAILURE;
}
