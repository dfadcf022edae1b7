#pragma once

#include <string>

namespace lockstep::node {

/// Prints one line to stdout at once. Any thread; waits if stdout does not take it.
void say(const std::string& line);

}  // namespace lockstep::node
