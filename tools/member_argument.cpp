#include "tools/member_argument.hpp"

#include <cmath>

namespace lockstep::tools {

std::uint64_t MemberArgument::timeout_ms() const {
  return static_cast<std::uint64_t>(std::ceil(timeout_seconds * 1e3));
}

CLI::App* add_member_command(CLI::App& client, const char* name, const char* help,
                             const char* timeout, MemberArgument& argument) {
  CLI::App* command = client.add_subcommand(name, help);
  command
      ->add_option("ADDRESS", argument.address,
                   "node.listen of any member: 127.0.0.1:7100, or a socket's path")
      ->required();
  command->add_option("--timeout", argument.timeout_seconds, timeout)
      ->check(CLI::Range(0.001, 86'400.0))
      ->capture_default_str();
  return command;
}

}  // namespace lockstep::tools
