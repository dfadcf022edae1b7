#include "tools/compare_arguments.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "bench/report.hpp"
#include "tools/commands.hpp"

namespace lockstep::tools {

void CompareArguments::add_to(CLI::App& command) {
  command_ = &command;
  command
      .add_option("--compare", options.peers,
                  fmt::format("also put other systems beside it: all there are, or of {}",
                              fmt::join(bench::peer_words(), ", ")))
      ->delimiter(',')
      ->expected(0, CLI::detail::expected_max_vector_size);
  command.add_option("--turns", options.turns, "compare: turns of each")->capture_default_str();
  command.add_option("--turn-samples", options.samples, "compare: messages of each in a turn")
      ->capture_default_str();
  command.add_option("--kills", options.kills, "compare: kills of a leader")->capture_default_str();
  command.add_option("--peers-folder", options.peers_folder,
                     "compare: where the programs lockstep_peer_* are, if not beside this one");
  command
      .add_option("--answer-seconds", options.answer_seconds,
                  "compare: how long a peer may take to start, and for a turn")
      ->capture_default_str();
}

void CompareArguments::refuse_misuse() const {
  if (const auto checked = bench::check(options); !checked) {
    end_program(kMisused, checked.error().message);
  }
}

void CompareArguments::run(bench::Report& report) const {
  if (command_->count("--compare") == 0) return;
  fmt::print("\n{}", bench::comparison_heading());
  auto comparisons = bench::compare(options, [](const bench::Comparison& comparison) {
    fmt::print("{}", bench::to_line(comparison));
    std::fflush(stdout);
  });
  if (!comparisons) end_program(kFailed, comparisons.error().message);
  report.comparisons = std::move(*comparisons);
}

}  // namespace lockstep::tools
