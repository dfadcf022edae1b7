#include <fmt/format.h>

#include <map>
#include <memory>
#include <string>

#include "bench/bench.hpp"
#include "bench/report.hpp"
#include "tools/commands.hpp"
#include "tools/compare_arguments.hpp"
#include "tools/launch/idle_words.hpp"
#include "tools/report_files.hpp"

namespace lockstep::tools {
namespace {

struct BenchArguments {
  bench::Options options;
  ReportFiles files;
  CompareArguments comparison;  ///< latency only
};
using Arguments = std::shared_ptr<BenchArguments>;

const std::map<std::string, launch::As>& as_words() {
  static const std::map<std::string, launch::As> words = {{"processes", launch::As::processes},
                                                          {"threads", launch::As::threads}};
  return words;
}

void run(const BenchArguments& arguments) {
  arguments.comparison.refuse_misuse();
  auto report = bench::run(arguments.options);
  if (!report) {
    const bool misused = report.error().code == ErrorCode::invalid_argument;
    end_program(misused ? kMisused : kFailed, report.error().message);
  }
  fmt::print("{}", bench::to_table(*report));
  if (arguments.options.scenario == bench::Scenario::latency) arguments.comparison.run(*report);
  arguments.files.write(*report);
}

/// What every scenario takes.
void add_common(CLI::App& command, const Arguments& arguments) {
  bench::Options& options = arguments->options;
  command
      .add_option_function<std::string>(
          "--idle",
          [&options](const std::string& word) { options.idle = launch::idle_words().at(word); },
          "spin, yield, backoff, or automatic: spin if every member can have a CPU")
      ->check(CLI::IsMember(launch::idle_words()));
  command.add_option("--cores", options.cores,
                     "one CPU per member, as 0,1 or 0-3; else members are pinned if each can "
                     "spin on a CPU of its own");
  command.add_option("--seconds", options.seconds, "how long to measure")->capture_default_str();
  command.add_option("--as", options.as, "members are processes or threads")
      ->transform(CLI::CheckedTransformer(as_words()));
  arguments->files.add_to(command);
}

void add_payload(CLI::App& command, const Arguments& arguments) {
  bench::Options& options = arguments->options;
  command.add_option("--payload-bytes", options.payload_bytes, "size of a message")
      ->capture_default_str();
  command.add_option("--senders", options.senders, "how many members send, or all")
      ->capture_default_str();
}

void add_group(CLI::App& command, const Arguments& arguments) {
  bench::Options& options = arguments->options;
  command.add_option("--members", options.members, "how many members")->capture_default_str();
  command
      .add_option("--transport", options.transport, "auto, shm, tcp, udp, dpdk (memif) or verbs")
      ->check(CLI::IsMember({"auto", "shm", "tcp", "udp", "dpdk", "verbs"}))
      ->capture_default_str();
  command
      .add_option("--hosts", options.hosts,
                  "addresses of this host at which members listen in turn; without it loopback for "
                  "tcp and udp, those of the RDMA devices for verbs")
      ->delimiter(',');
  command.add_option("--key-file", options.key_file,
                     "file with the key by which members authenticate one another, over tcp, "
                     "udp and verbs");
  command
      .add_option(
          "--encryption", options.encryption,
          "automatic, always (with --key-file) or never; automatic leaves one host in the clear")
      ->check(CLI::IsMember({"automatic", "always", "never"}))
      ->capture_default_str();
  command.add_option("--tcp-io", options.tcp_io, "automatic, io_uring or sockets")
      ->check(CLI::IsMember({"automatic", "io_uring", "sockets"}))
      ->capture_default_str();
  command.add_option("--ring-bytes", options.ring_bytes, "size of each sender's ring")
      ->capture_default_str();
}

CLI::App& add_scenario(CLI::App& bench, bench::Scenario scenario, const char* description,
                       const Arguments& arguments) {
  CLI::App* command = bench.add_subcommand(std::string(bench::to_string(scenario)), description);
  add_common(*command, arguments);
  command->callback([arguments, scenario] {
    arguments->options.scenario = scenario;
    arguments->comparison.options.members = arguments->options.members;
    arguments->comparison.options.payload_bytes = arguments->options.payload_bytes;
    arguments->comparison.options.idle = arguments->options.idle;
    run(*arguments);
  });
  return *command;
}

}  // namespace

void add_bench(CLI::App& app) {
  CLI::App* bench = app.add_subcommand(
      "bench", "Measure a group on this host beside the physical limit (docs/bench.md)");
  bench->require_subcommand(1);
  const auto fresh = [] { return std::make_shared<BenchArguments>(); };

  Arguments arguments = fresh();
  CLI::App& latency = add_scenario(*bench, bench::Scenario::latency,
                                   "From publish to ordered, stable delivery", arguments);
  add_payload(latency, arguments);
  add_group(latency, arguments);
  latency.add_option("--rate", arguments->options.rate,
                     "open loop: messages per second of all senders together; time runs from when "
                     "a message was due");
  latency.add_option("--samples", arguments->options.samples,
                     "end after so many measured messages, if that is before --seconds");
  latency.add_flag(
      "--apart", arguments->options.apart,
      "each member in a network namespace of its own, joined by a switch; tcp and udp");
  latency.add_option("--loss-percent", arguments->options.loss_percent,
                     "apart, in turns without loss and with so much; tcp and udp");
  arguments->comparison.add_to(latency);

  arguments = fresh();
  CLI::App& throughput = add_scenario(*bench, bench::Scenario::throughput,
                                      "Messages per second, all senders at full speed", arguments);
  add_payload(throughput, arguments);
  add_group(throughput, arguments);

  arguments = fresh();
  CLI::App& floor =
      add_scenario(*bench, bench::Scenario::floor,
                   "The raw round trip and stream of the medium, no group", arguments);
  add_payload(floor, arguments);

  arguments = fresh();
  arguments->options.idle = IdlePolicy::backoff;
  arguments->options.payload_bytes = 0;
  CLI::App& idle =
      add_scenario(*bench, bench::Scenario::idle,
                   "Share of a core that each member of an idle group uses", arguments);
  add_group(idle, arguments);

  arguments = fresh();
  arguments->options.members = 3;
  CLI::App& failover =
      add_scenario(*bench, bench::Scenario::failover,
                   "From kill -9 of a member to the first delivery without it", arguments);
  add_payload(failover, arguments);
  add_group(failover, arguments);
  failover
      .add_option("--runs", arguments->options.runs,
                  "how many members to kill, each of a new "
                  "group")
      ->capture_default_str();
  failover
      .add_option("--resident-mib", arguments->options.resident_mib,
                  "memory that each member has touched")
      ->capture_default_str();

  add_suite(*bench);
}

}  // namespace lockstep::tools
