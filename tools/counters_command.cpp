#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lockstep/counters.hpp"
#include "tools/commands.hpp"

namespace lockstep::tools {
namespace {

using Reading = CounterReading;

struct CountersArguments {
  std::string file;
  double watch_seconds = 0;
};

std::vector<Reading> read(const std::string& file) {
  auto readings = read_counters(file);
  if (!readings) end_program(kFailed, readings.error().message);
  return std::move(*readings);
}

std::size_t widest(const std::vector<Reading>& readings) {
  std::size_t width = 0;
  for (const Reading& reading : readings) width = std::max(width, reading.name.size());
  return width;
}

void print(const std::vector<Reading>& readings) {
  const std::size_t width = widest(readings);
  for (const Reading& reading : readings) {
    fmt::print("{:<{}} {:>20}\n", reading.name, width, reading.value);
  }
}

void sleep_for(double seconds) {
  auto left = timespec{.tv_sec = static_cast<time_t>(seconds), .tv_nsec = 0};
  left.tv_nsec = static_cast<long>((seconds - static_cast<double>(left.tv_sec)) * 1e9);
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

/// A counter that was set back (a gauge) shows a negative rate.
void print_rates(const std::vector<Reading>& before, const std::vector<Reading>& after,
                 double seconds) {
  std::map<std::string, std::uint64_t> values;
  for (const Reading& reading : before) values[reading.name] = reading.value;
  const std::size_t width = widest(after);
  for (const Reading& reading : after) {
    const auto delta = static_cast<std::int64_t>(reading.value - values[reading.name]);
    fmt::print("{:<{}} {:>20} {:>16.1f}/s\n", reading.name, width, reading.value,
               static_cast<double>(delta) / seconds);
  }
}

/// Until the file is gone: its writer removes it when it ends.
void watch(const CountersArguments& arguments) {
  std::vector<Reading> before = read(arguments.file);
  for (;;) {
    sleep_for(arguments.watch_seconds);
    std::vector<Reading> after = read(arguments.file);
    print_rates(before, after, arguments.watch_seconds);
    fmt::print("\n");
    if (std::fflush(stdout) != 0) end_program(kFailed, "cannot write to stdout");
    before = std::move(after);
  }
}

}  // namespace

void add_counters(CLI::App& app) {
  const auto arguments = std::make_shared<CountersArguments>();
  CLI::App* command = app.add_subcommand("counters", "Show the live counters of a reactor");
  command->add_option("FILE", arguments->file, "its counters file (ReactorConfig::counters_file)")
      ->required();
  command
      ->add_option("--watch", arguments->watch_seconds,
                   "show values and changes per second, every so many seconds, until the file is "
                   "gone")
      ->check(CLI::Range(0.01, 86'400.0));
  command->callback([arguments] {
    if (arguments->watch_seconds > 0) {
      watch(*arguments);
    } else {
      print(read(arguments->file));
    }
  });
}

}  // namespace lockstep::tools
