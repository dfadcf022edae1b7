#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>

#include "lockstep/error.hpp"
#include "transports/hello/descriptor.hpp"

namespace lockstep::launch {

/// A forked process that does not outlive its owner: it is killed by pid when this object ends, and
/// by the kernel when the thread that started it ends, however that happens.
class Child {
 public:
  /// Runs `body` in a forked child, without exec: it sees all that the caller prepared. What the
  /// body returns is the exit code; the child flushes stdio and leaves with `_exit`, so no
  /// destructor of the parent runs in it. Call it while the process has one thread, unless the body
  /// makes system calls only. Errors: system (fork, pidfd_open).
  static Expected<Child> start(const std::function<int()>& body);

  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child() { kill(); }

  /// Waits for its end: its exit code, or 128 + the signal that ended it, as a shell has it; asked
  /// again it says the same. Errors: timed_out (it runs on), system.
  Expected<int> wait(std::uint64_t timeout_ns);

  /// Ends it at once with SIGKILL and reaps it; nothing if it has ended.
  void kill();

  /// Its process id; 0 after it was reaped.
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

 private:
  Child(pid_t pid, int descriptor) : pid_(pid), ended_(descriptor) {}
  void reap();

  pid_t pid_;
  transports::Descriptor ended_;  ///< a pidfd: readable from its end on
  int exit_code_ = 0;
};

}  // namespace lockstep::launch
