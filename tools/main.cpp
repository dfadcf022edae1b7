#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "tools/commands.hpp"
#ifdef LOCKSTEP_WITH_SIM
#include "tools/sim/sim_command.hpp"
#endif

namespace lockstep::tools {

void end_program(int status, const std::string& message) {
  fmt::print(stderr, "lockstep: {}\n", message);
  throw CLI::RuntimeError(status);
}

}  // namespace lockstep::tools

int main(int argc, char** argv) {
  CLI::App app("Totally ordered replicated processes: measure and inspect them.", "lockstep");
  app.set_version_flag("--version", "lockstep " LOCKSTEP_VERSION);
  app.require_subcommand(1);
  lockstep::tools::add_bench(app);
  lockstep::tools::add_counters(app);
  lockstep::tools::add_doctor(app);
  lockstep::tools::add_node(app);
  lockstep::tools::add_kv(app);
  lockstep::tools::add_orders(app);
  lockstep::tools::add_status(app);
#ifdef LOCKSTEP_WITH_SIM
  lockstep::sim::add_sim(app);
#endif
  try {
    app.parse(argc, argv);
  } catch (const CLI::RuntimeError& error) {
    std::fflush(stdout);
    return error.get_exit_code();
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == EXIT_SUCCESS ? EXIT_SUCCESS : lockstep::tools::kMisused;
  }
  if (std::fflush(stdout) != 0) {
    std::perror("lockstep: cannot write to stdout");
    return lockstep::tools::kFailed;
  }
  return EXIT_SUCCESS;
}
