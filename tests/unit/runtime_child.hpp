#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

namespace lockstep::tests {

/// What a test's child process came to.
enum class ChildResult { succeeded, failed, could_not_try };

/// Runs `body` in a forked child, so that it may change limits, identity or namespaces, or die.
/// `body` returns a ChildResult; whatever ends the child otherwise counts as failed.
template <class Body>
ChildResult in_child(Body body) {
  const pid_t child = ::fork();
  if (child < 0) return ChildResult::could_not_try;
  if (child == 0) ::_exit(static_cast<int>(body()));
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return ChildResult::failed;
  switch (WEXITSTATUS(status)) {
    case static_cast<int>(ChildResult::succeeded):
      return ChildResult::succeeded;
    case static_cast<int>(ChildResult::could_not_try):
      return ChildResult::could_not_try;
    default:
      return ChildResult::failed;
  }
}

}  // namespace lockstep::tests
