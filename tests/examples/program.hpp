#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace lockstep::examples {

/// A program that a test started: its output goes to a temporary file without a name. Killed and
/// reaped when the object ends.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// Waits at most a minute for its end; its exit status, 128 + the signal, or -1 if it still ran.
  int wait();
  /// What it wrote so far, to standard output and standard error.
  [[nodiscard]] std::string output() const;
  /// The pids of its children, oldest first.
  [[nodiscard]] std::vector<pid_t> children() const;

 private:
  pid_t pid_ = -1;
  int output_ = -1;
  bool ended_ = false;
};

}  // namespace lockstep::examples
