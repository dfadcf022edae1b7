#pragma once

#include <string>
#include <vector>

#include "lockstep/error.hpp"
#include "tools/launch/child.hpp"

namespace lockstep::bench::peers {

/// Where a program is, in the folders in which Debian keeps those of users and administrators.
/// Errors: not_supported, naming the package that has it.
Expected<std::string> find_program(const std::string& name, const std::string& package);

/// Starts `command`, a path and its arguments; what it says goes to the end of the file `log`. It
/// ends with the object, and with the thread that started it. Errors: system.
Expected<launch::Child> start_daemon(const std::vector<std::string>& command,
                                     const std::string& log);

/// The end of a log, for an error; empty if there is none.
std::string tail_of(const std::string& log);

}  // namespace lockstep::bench::peers
