#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "bench/result.hpp"

namespace lockstep::tools {

/// Where `lockstep bench` writes its report besides the terminal.
struct ReportFiles {
  std::string json_file;
  std::string page_file;

  /// Adds --json and --report, which fill these in. They live as long as the command.
  void add_to(CLI::App& command);
  /// Notes the command line in the report and writes the files asked for. Ends the program when one
  /// cannot be written.
  void write(bench::Report& report) const;
};

}  // namespace lockstep::tools
