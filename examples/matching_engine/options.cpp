#include "examples/matching_engine/options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <optional>
#include <string>

#include "tools/launch/idle_words.hpp"

namespace lockstep::examples {
namespace {

const std::map<std::string, launch::As> kAs{{"processes", launch::As::processes},
                                            {"threads", launch::As::threads}};

/// Settings that also have a place in the configuration file; the command line wins.
struct Overrides {
  std::string config_file{};
  std::optional<IdlePolicy> idle{};
  std::optional<std::string> transport{};
  std::optional<std::string> key_file{};
  std::optional<std::uint64_t> ring_bytes{};
};

void declare(CLI::App& app, Options& options, Overrides& overrides) {
  app.add_option("--members", options.members, "members of the group; 1 runs the engine alone")
      ->check(CLI::Range(1U, kMaxMembers))
      ->capture_default_str();
  app.add_option("--as", options.as, "members run as processes or as threads")
      ->transform(CLI::CheckedTransformer(kAs))
      ->default_str("processes");
  app.add_option("--input", options.input, "file of orders; without one they are made up");
  app.add_option("--format", options.format, "format of the input")
      ->check(CLI::IsMember({"auto", "lobster", "itch"}))
      ->capture_default_str();
  app.add_option("--orders", options.orders,
                 fmt::format("stop after so many orders (default: the whole input, or {} made up)",
                             kGeneratedOrders))
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "seed of the generator")->capture_default_str();
  app.add_option("--speed-up", options.speed_up,
                 "replay at the pace of the time stamps, so many times as fast (default: as fast "
                 "as it goes)")
      ->check(CLI::PositiveNumber);
  app.add_option("--book-orders", options.book_orders, "the most orders that can rest at a time")
      ->check(CLI::Range(1U, 1U << 30))
      ->capture_default_str();
  app.add_option("--kill", options.kill,
                 "kill the process of this rank, not 0, when half of the orders are applied, and "
                 "start it again");
  app.add_option("--timeout-s", options.timeout_s,
                 "give up after so many seconds more than the pace takes")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--cores", options.cores, "CPU of each rank: 0,1,0")->delimiter(',');
  app.add_option_function<std::string>(
         "--idle",
         [&overrides](const std::string& word) { overrides.idle = launch::idle_words().at(word); },
         "what a member does when there is nothing to do")
      ->check(CLI::IsMember(launch::idle_words()));
  app.add_option("--transport", overrides.transport, "how members reach one another");
  app.add_option(
         "--hosts", options.hosts,
         "addresses of this host at which members listen in turn; without it loopback for tcp, "
         "those of the RDMA devices for verbs")
      ->delimiter(',');
  app.add_option("--key-file", overrides.key_file,
                 "file with the key by which members authenticate one another, over tcp and verbs");
  app.add_option("--ring-bytes", overrides.ring_bytes, "size of the sender's ring");
  app.add_option("--config", overrides.config_file,
                 "TOML file with the tables [reactor] and [group]");
  app.add_option("--json", options.json, "write the results to this file as well");
}

Expected<void> settle(Options& options, const Overrides& overrides) {
  if (!overrides.config_file.empty()) {
    auto loaded = load_config(overrides.config_file);
    if (!loaded) return std::unexpected(loaded.error());
    options.config = std::move(*loaded);
  }
  if (overrides.idle) options.config.reactor.idle = *overrides.idle;
  if (overrides.transport) options.config.group.transport = *overrides.transport;
  if (overrides.key_file) options.config.group.key_file = *overrides.key_file;
  if (overrides.ring_bytes) options.config.group.ring_bytes = *overrides.ring_bytes;
  if (!options.cores.empty() && options.cores.size() != options.members) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("--cores names {} CPUs for {} members; name one for each",
                            options.cores.size(), options.members));
  }
  if (options.kill && (*options.kill == 0 || *options.kill >= options.members)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("--kill {} of {} members; name a rank that is there, and not 0: that "
                            "one publishes, and nobody takes its place",
                            *options.kill, options.members));
  }
  if (options.kill && options.as != launch::As::processes) {
    return fail(ErrorCode::invalid_argument,
                "--kill kills a process; members that run as threads have none of their own");
  }
  if (options.input.empty() && options.orders == 0) options.orders = kGeneratedOrders;
  return {};
}

}  // namespace

bool parse_options(int count, char** arguments, Options& options, int& status) {
  CLI::App app(
      "A matching engine, replicated: every member applies the same orders in the same "
      "sequence and ends with the same digest.",
      "matching_engine");
  Overrides overrides;
  declare(app, options, overrides);
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    status = app.exit(error);
    return false;
  }
  if (auto settled = settle(options, overrides); !settled) {
    fmt::print(stderr, "matching_engine: {}\n", settled.error().message);
    status = EXIT_FAILURE;
    return false;
  }
  return true;
}

}  // namespace lockstep::examples
