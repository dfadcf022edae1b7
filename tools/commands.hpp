#pragma once

#include <CLI/CLI.hpp>

namespace lockstep::tools {

/// Each adds one subcommand. A subcommand runs from its callback and ends the program with a
/// status other than 0 by throwing CLI::RuntimeError(status), which main returns.
void add_bench(CLI::App& app);
void add_suite(CLI::App& bench);  ///< of `bench`
void add_counters(CLI::App& app);
void add_doctor(CLI::App& app);
void add_node(CLI::App& app);
void add_kv(CLI::App& app);
void add_orders(CLI::App& app);
void add_status(CLI::App& app);

/// The statuses of the program.
inline constexpr int kFailed = 1;   ///< it was run and did not work
inline constexpr int kMisused = 2;  ///< the command line is wrong
inline constexpr int kAbsent = 3;   ///< `kv get`: there is no such key

/// Prints "lockstep: message" to stderr and ends the program.
[[noreturn]] void end_program(int status, const std::string& message);

}  // namespace lockstep::tools
