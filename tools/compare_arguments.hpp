#pragma once

#include <CLI/CLI.hpp>

#include "bench/comparison.hpp"
#include "bench/result.hpp"

namespace lockstep::tools {

/// --compare and what belongs to it, of those benchmarks that other systems can be put beside.
struct CompareArguments {
  bench::ComparisonOptions options;

  /// Adds the options, which fill `options` in. They live as long as the command.
  void add_to(CLI::App& command);
  /// Ends the program when one of them is wrong: before anything else is measured.
  void refuse_misuse() const;
  /// Compares if that was asked for: prints a table and adds it to the report. Ends the program
  /// when a group failed.
  void run(bench::Report& report) const;

 private:
  const CLI::App* command_ = nullptr;
};

}  // namespace lockstep::tools
