#include "tools/sim/sim_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "membership/mutant.hpp"
#include "ordering/mutant.hpp"
#include "tools/sim/scenario.hpp"
#include "tools/sim/trace.hpp"
#include "tools/sim/variants.hpp"
#include "tools/sim/view_scenario.hpp"

namespace lockstep::sim {
namespace {

struct Options {
  std::uint64_t seeds = 200;
  std::uint64_t first_seed = 1;
  bool all_faults = false;
  bool trace = false;
  std::string mutant;
  bool list_mutants = false;
  std::string exhaustive;
};

void list_mutants() {
  for (const auto& mutant : ordering::kMutants) {
    fmt::print("{:<26} breaks: {}\n", mutant.name, mutant.sentence);
  }
  fmt::print("\nwith --faults all:\n");
  for (const auto& mutant : membership::kMutants) {
    fmt::print("{:<26} breaks: {}\n", mutant.name, mutant.sentence);
  }
}

/// The name of a mutant of the kind that the options ask for.
std::string check_mutant(const Options& options) {
  const auto has = [&](const auto& mutants) {
    return std::ranges::any_of(mutants,
                               [&](const auto& one) { return one.name == options.mutant; });
  };
  const bool views = options.all_faults || !options.exhaustive.empty();
  const bool known = views ? has(membership::kMutants) : has(ordering::kMutants);
  if (options.mutant.empty() || known) return {};
  return fmt::format(
      "there is no mutant '{}' {} --faults all; --list-mutants shows those there are",
      options.mutant, views ? "with" : "without");
}

/// One run, and its scenario in words.
Report run_seed(const Options& options, std::uint64_t seed, Trace& trace, std::string& text) {
  if (options.all_faults) {
    const ViewScenario scenario = draw_view_scenario(seed);
    text = describe(scenario);
    return options.mutant.empty() ? production::simulate_views(scenario, {}, trace)
                                  : mutated::simulate_views(scenario, options.mutant, trace);
  }
  const Scenario scenario = draw_scenario(seed);
  text = describe(scenario);
  const bool twin = scenario.interleaved || !options.mutant.empty();
  return twin ? mutated::simulate(scenario, options.mutant, trace)
              : production::simulate(scenario, {}, trace);
}

void print_failure(const Options& options, std::uint64_t seed, const std::string& scenario,
                   const Report& report, const Trace& trace) {
  std::string more = options.all_faults ? " --faults all" : "";
  if (!options.mutant.empty()) more += " --mutant " + options.mutant;
  fmt::print("seed {}: {}\n\n", seed, *report.violation);
  fmt::print("scenario: {}\n\n", scenario);
  if (!options.trace) fmt::print("the last events:\n{}\n", trace.last());
  fmt::print("replay with: lockstep sim --seeds 1 --seed {}{} --trace\n", seed, more);
}

// True if no seed shows a violation.
bool run_seeds(const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  Report total;
  total.views = 0;
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    const std::uint64_t seed = options.first_seed + i;
    Trace trace(options.trace);
    std::string scenario;
    const Report report = run_seed(options, seed, trace, scenario);
    if (report.violation.has_value()) {
      print_failure(options, seed, scenario, report, trace);
      return false;
    }
    total.messages += report.messages;
    total.deliveries += report.deliveries;
    total.virtual_ns += report.virtual_ns;
    total.views += report.views - 1;
    total.joins += report.joins;
    total.mended += report.mended;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const std::string changes = options.all_faults
                                  ? fmt::format("{} view changes, {} joins, {} links mended, ",
                                                total.views, total.joins, total.mended / 2)
                                  : "";
  fmt::print(
      "{} seeds from {} on: no violation; {} messages, {} deliveries, {}{:.1f} s of virtual time "
      "in "
      "{:.1f} s ({:.0f} seeds/s)\n",
      options.seeds, options.first_seed, total.messages, total.deliveries, changes,
      static_cast<double>(total.virtual_ns) / 1e9, took.count(),
      static_cast<double>(options.seeds) / took.count());
  return true;
}

/// One change of view with the deaths of `scenario`. True if no checker minds.
bool survives(const Options& options, const ViewScenario& scenario) {
  Trace trace(false);
  const Report report = options.mutant.empty()
                            ? production::simulate_views(scenario, {}, trace)
                            : mutated::simulate_views(scenario, options.mutant, trace);
  if (!report.violation) return true;
  fmt::print("{}\n\nscenario: {}\n\nthe last events:\n{}", *report.violation, describe(scenario),
             trace.last());
  return false;
}

// Every single crash, and every pair, at every operation of one change of view.
bool run_exhaustive(const Options& options) {
  std::uint64_t singles = 0;
  std::uint64_t pairs = 0;
  for (std::uint32_t leaver = 0; leaver < kChanges; ++leaver) {
    Trace trace(false);
    const std::uint64_t operations =
        production::simulate_views(one_change(leaver), {}, trace).operations;
    for (std::uint64_t first = 0; first < operations; ++first) {
      ViewScenario scenario = one_change(leaver);
      scenario.deaths = {first};
      if (!survives(options, scenario)) return false;
      ++singles;
      for (std::uint64_t second = first + 1; second < operations; ++second) {
        scenario.deaths = {first, second};
        if (!survives(options, scenario)) return false;
        ++pairs;
      }
    }
  }
  fmt::print(
      "one change of view of three members, each of them leaving in turn and a fourth joining: {} "
      "single crashes "
      "and {} pairs, one at every write: no violation\n",
      singles, pairs);
  return true;
}

void run(const Options& options) {
  if (options.list_mutants) return list_mutants();
  if (const std::string wrong = check_mutant(options); !wrong.empty()) {
    throw CLI::ValidationError("--mutant", wrong);
  }
  const bool sound = options.exhaustive.empty() ? run_seeds(options) : run_exhaustive(options);
  if (!sound) throw CLI::RuntimeError(1);
}

}  // namespace

void add_sim(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "sim",
      "Run groups in one thread and virtual time, one run per seed, with delays, stalls, torn "
      "writes and crashes, under checkers of total order, agreement, uniformity, integrity and "
      "validity.");
  command->add_option("--seeds", options->seeds, "how many seeds to run")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--seed", options->first_seed, "the first seed")->capture_default_str();
  command->add_flag("--trace", options->trace, "print every event as it happens");
  command->add_option(
      "--mutant", options->mutant,
      "run the protocol deliberately broken; ends with status 1 once a checker sees it");
  command
      ->add_option_function<std::string>(
          "--faults", [options](const std::string& word) { options->all_faults = word == "all"; },
          "order: one view of 2 to 7 members; all: groups of 3 to 5 whose views change, with "
          "crashes, pauses, cuts and leaves at any moment")
      ->check(CLI::IsMember({"order", "all"}))
      ->default_str("order");
  command
      ->add_option(
          "--exhaustive", options->exhaustive,
          "crash: one change of view, with every single crash and every pair at every write")
      ->check(CLI::IsMember({"crash"}));
  command->add_flag("--list-mutants", options->list_mutants,
                    "list the mutants, each with the sentence of the design that it breaks");
  command->callback([options] { run(*options); });
}

}  // namespace lockstep::sim
