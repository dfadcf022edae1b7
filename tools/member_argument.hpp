#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

namespace lockstep::tools {

/// Which member of a group a client talks to, and how long it waits.
struct MemberArgument {
  std::string address;
  double timeout_seconds = 5;

  [[nodiscard]] std::uint64_t timeout_ms() const;
};

/// A subcommand `name` of `client` that talks to a member. `timeout`: what for, in words.
/// `argument` must outlive the parsing.
CLI::App* add_member_command(CLI::App& client, const char* name, const char* help,
                             const char* timeout, MemberArgument& argument);

}  // namespace lockstep::tools
