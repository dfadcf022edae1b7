#include "tools/sim/sim_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "ordering/mutant.hpp"
#include "tools/sim/scenario.hpp"
#include "tools/sim/trace.hpp"
#include "tools/sim/variants.hpp"

namespace lockstep::sim {
namespace {

struct Options {
  std::uint64_t seeds = 200;
  std::uint64_t first_seed = 1;
  bool trace = false;
  std::string mutant;
  bool list_mutants = false;
};

void list_mutants() {
  for (const auto& mutant : ordering::kMutants) {
    fmt::print("{:<26} breaks: {}\n", mutant.name, mutant.sentence);
  }
}

std::string check_mutant(const std::string& name) {
  const auto found = std::ranges::find(ordering::kMutants, name, &ordering::MutantSentence::name);
  if (found != ordering::kMutants.end()) return {};
  return fmt::format("there is no mutant '{}'; --list-mutants shows those there are", name);
}

Report run_seed(const Options& options, const Scenario& scenario, Trace& trace) {
  const bool twin = scenario.interleaved || !options.mutant.empty();
  return twin ? mutated::simulate(scenario, options.mutant, trace)
              : production::simulate(scenario, {}, trace);
}

void print_failure(const Options& options, const Scenario& scenario, const Report& report,
                   const Trace& trace) {
  const std::string mutant = options.mutant.empty() ? "" : " --mutant " + options.mutant;
  fmt::print("seed {}: {}\n\n", scenario.seed, *report.violation);
  fmt::print("scenario: {}\n\n", describe(scenario));
  if (!options.trace) fmt::print("the last events:\n{}\n", trace.last());
  fmt::print("replay with: lockstep sim --seeds 1 --seed {}{} --trace\n", scenario.seed, mutant);
}

// True if no seed shows a violation.
bool run_seeds(const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  Report total;
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    const Scenario scenario = draw_scenario(options.first_seed + i);
    Trace trace(options.trace);
    const Report report = run_seed(options, scenario, trace);
    if (report.violation.has_value()) {
      print_failure(options, scenario, report, trace);
      return false;
    }
    total.messages += report.messages;
    total.deliveries += report.deliveries;
    total.virtual_ns += report.virtual_ns;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  fmt::print(
      "{} seeds from {} on: no violation; {} messages, {} deliveries, {:.1f} s of virtual time in "
      "{:.1f} s ({:.0f} seeds/s)\n",
      options.seeds, options.first_seed, total.messages, total.deliveries,
      static_cast<double>(total.virtual_ns) / 1e9, took.count(),
      static_cast<double>(options.seeds) / took.count());
  return true;
}

void run(const Options& options) {
  if (options.list_mutants) return list_mutants();
  if (!run_seeds(options)) throw CLI::RuntimeError(1);
}

}  // namespace

void add_sim(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "sim",
      "Run fixed-view groups of 2 to 7 members in one thread and virtual time, one run per "
      "seed, with delays, stalls, torn writes and crashes, under checkers of total order, "
      "uniformity, integrity and validity.");
  command->add_option("--seeds", options->seeds, "how many seeds to run")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--seed", options->first_seed, "the first seed")->capture_default_str();
  command->add_flag("--trace", options->trace, "print every event as it happens");
  command
      ->add_option(
          "--mutant", options->mutant,
          "run the protocol deliberately broken; ends with status 1 once a checker sees it")
      ->check(check_mutant);
  command->add_flag("--list-mutants", options->list_mutants,
                    "list the mutants, each with the sentence of the design that it breaks");
  command->callback([options] { run(*options); });
}

}  // namespace lockstep::sim
