#include "tools/launch/child.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>

namespace lockstep::launch {

Expected<Child> Child::start(const std::function<int()>& body) {
  std::fflush(nullptr);  // or the child would print what the parent had buffered once more
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) {
    return fail(ErrorCode::system,
                fmt::format("cannot start a process: fork: {}; is the limit on processes "
                            "(ulimit -u) reached?",
                            std::strerror(errno)));
  }
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(128 + SIGKILL);  // it died before prctl
    const int exit_code = body();
    std::fflush(nullptr);
    _exit(exit_code);
  }
  const auto descriptor = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (descriptor < 0) {
    const int reason = errno;
    Child unwatched(pid, -1);  // kills it
    return fail(ErrorCode::system,
                fmt::format("cannot watch process {}: pidfd_open: {}; it needs Linux 5.3 and a "
                            "free descriptor (ulimit -n)",
                            pid, std::strerror(reason)));
  }
  return Child(pid, descriptor);
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      ended_(std::move(other.ended_)),
      exit_code_(other.exit_code_) {}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(ended_, other.ended_);
  std::swap(exit_code_, other.exit_code_);
  return *this;
}

Expected<int> Child::wait(std::uint64_t timeout_ns) {
  if (pid_ == 0) return exit_code_;
  constexpr std::uint64_t kNsPerMs = 1'000'000;
  constexpr std::uint64_t kLongestMs = 1'000'000'000;
  pollfd watched{ended_.get(), POLLIN, 0};
  const int ready =
      poll(&watched, 1, static_cast<int>(std::min(timeout_ns / kNsPerMs, kLongestMs)));
  if (ready < 0) return fail(ErrorCode::system, fmt::format("poll: {}", std::strerror(errno)));
  if (ready == 0) {
    return fail(ErrorCode::timed_out, fmt::format("process {} still runs after {:.3g} s", pid_,
                                                  static_cast<double>(timeout_ns) / 1e9));
  }
  reap();
  return exit_code_;
}

void Child::kill() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  reap();
}

void Child::reap() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  pid_ = 0;
}

}  // namespace lockstep::launch
