#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "bench/report.hpp"
#include "bench/suite.hpp"
#include "tools/commands.hpp"
#include "tools/compare_arguments.hpp"
#include "tools/launch/idle_words.hpp"
#include "tools/report_files.hpp"

namespace lockstep::tools {
namespace {

struct SuiteArguments {
  bench::SuiteOptions suite;
  CompareArguments comparison;
  ReportFiles files;
};

const std::map<std::string, bench::Scenario>& scenario_words() {
  static const std::map<std::string, bench::Scenario> words = {
      {"latency", bench::Scenario::latency}, {"throughput", bench::Scenario::throughput}};
  return words;
}

void run(const SuiteArguments& arguments) {
  arguments.comparison.refuse_misuse();
  fmt::print("{}", bench::line_heading());
  auto report = bench::run_suite(arguments.suite, [](const bench::Result& result) {
    fmt::print("{}", bench::to_line(result));
    std::fflush(stdout);
  });
  if (!report) end_program(kMisused, report.error().message);
  arguments.comparison.run(*report);
  arguments.files.write(*report);
  if (bench::has_failure(*report)) end_program(kFailed, "a group failed; see the lines above");
}

}  // namespace

void add_suite(CLI::App& bench) {
  auto arguments = std::make_shared<SuiteArguments>();
  bench::SuiteOptions& suite = arguments->suite;
  CLI::App* command = bench.add_subcommand(
      "suite", "Latency and throughput, for every transport, number of members and size");
  command->add_option("--scenarios", suite.scenarios, "latency, throughput")
      ->delimiter(',')
      ->transform(CLI::CheckedTransformer(scenario_words()));
  command->add_option("--transports", suite.transports, "of shm, tcp, udp, dpdk (memif), verbs")
      ->delimiter(',')
      ->check(CLI::IsMember({"shm", "tcp", "udp", "dpdk", "verbs"}))
      ->capture_default_str();
  command->add_option("--members", suite.members, "numbers of members")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--payload-bytes", suite.payload_bytes, "sizes of a message")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--seconds", suite.seconds, "how long to measure each cell")
      ->capture_default_str();
  command
      ->add_option_function<std::string>(
          "--idle",
          [&suite](const std::string& word) { suite.idle = launch::idle_words().at(word); },
          "spin, yield, backoff, or automatic: spin if every member can have a CPU")
      ->check(CLI::IsMember(launch::idle_words()));
  arguments->comparison.add_to(*command);
  arguments->files.add_to(*command);
  command->callback([arguments] {
    arguments->comparison.options.idle = arguments->suite.idle;
    run(*arguments);
  });
}

}  // namespace lockstep::tools
