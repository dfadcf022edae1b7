#pragma once

#include <CLI/CLI.hpp>

namespace lockstep::sim {

/// Adds the subcommand `sim`: the protocol under simulation, one run per seed. It runs from its
/// callback and ends the program with status 1, by throwing CLI::RuntimeError, at the first
/// violation.
void add_sim(CLI::App& app);

}  // namespace lockstep::sim
