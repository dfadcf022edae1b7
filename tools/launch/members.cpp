#include "tools/launch/members.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

namespace lockstep::launch {
namespace {

using SteadyClock = std::chrono::steady_clock;
using TimePoint = SteadyClock::time_point;
using Body = std::function<int(std::uint32_t)>;

/// Until when to wait: the caller's deadline, brought forward by the first bad end.
class Patience {
 public:
  Patience(std::uint64_t timeout_ns, std::uint64_t grace_ns)
      : timeout_ns_(timeout_ns),
        grace_ns_(grace_ns),
        deadline_(after(SteadyClock::now(), timeout_ns)) {}

  void note(const MemberEnd& end) {
    if (end.good() || first_bad_) return;
    first_bad_ = end;
    const TimePoint grace = after(SteadyClock::now(), grace_ns_);
    if (grace >= deadline_) return;
    deadline_ = grace;
    brought_forward_ = true;
  }

  [[nodiscard]] TimePoint deadline() const { return deadline_; }

  [[nodiscard]] int remaining_ms() const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - SteadyClock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000'000'000));
  }

  [[nodiscard]] MemberEnd outstayed(std::uint32_t rank, const char* consequence) const {
    if (brought_forward_) {
      return {rank, Ending::stopped, 0,
              fmt::format("still running {} s after rank {} had {}; {}", grace_ns_ / 1'000'000'000,
                          first_bad_->rank, first_bad_->words, consequence)};
    }
    return {rank, Ending::timed_out, 0,
            fmt::format("timed out after {:.3g} s; {}", static_cast<double>(timeout_ns_) / 1e9,
                        consequence)};
  }

 private:
  /// A sum that stays in range: a timeout may be "for ever".
  static TimePoint after(TimePoint from, std::uint64_t ns) {
    constexpr std::uint64_t kForeverNs = 1'000'000'000'000'000'000;
    return from + std::chrono::nanoseconds(std::min(ns, kForeverNs));
  }

  std::uint64_t timeout_ns_;
  std::uint64_t grace_ns_;
  TimePoint deadline_;
  bool brought_forward_ = false;
  std::optional<MemberEnd> first_bad_;
};

MemberEnd exited(std::uint32_t rank, int status) {
  return {rank, Ending::exited, status, fmt::format("ended with status {}", status)};
}

/// The children of one call; kills and reaps what is left when it ends.
class Children {
 public:
  Children() = default;
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;
  ~Children() {
    for (const Child& child : running_) {
      kill(child.pid, SIGKILL);
      reap(child);
    }
  }

  Expected<void> start(std::uint32_t rank, const Body& body) {
    std::fflush(nullptr);  // or the child would print what the parent had buffered once more
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) {
      return fail(ErrorCode::system,
                  fmt::format("cannot start the process of rank {}: fork: {}; is the limit on "
                              "processes (ulimit -u) reached?",
                              rank, std::strerror(errno)));
    }
    if (pid == 0) run_child(rank, body, parent);
    // No header of glibc 2.36 has both pidfd_open and the flags of linux/pidfd.h.
    const auto descriptor = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    const int reason = errno;
    running_.push_back({rank, pid, descriptor});
    if (descriptor >= 0) return {};
    return fail(ErrorCode::system,
                fmt::format("cannot watch the process of rank {}: pidfd_open: {}; it needs Linux "
                            "5.3 and a free descriptor (ulimit -n)",
                            rank, std::strerror(reason)));
  }

  /// Waits until one or more children ended, or for `timeout_ms`; adds their ends to `ends`.
  Expected<void> wait(int timeout_ms, std::vector<MemberEnd>& ends) {
    std::vector<pollfd> watched;
    for (const Child& child : running_) watched.push_back({child.descriptor, POLLIN, 0});
    if (poll(watched.data(), watched.size(), timeout_ms) < 0) {
      if (errno == EINTR) return {};
      return fail(ErrorCode::system, fmt::format("poll: {}", std::strerror(errno)));
    }
    for (std::size_t i = watched.size(); i-- > 0;) {
      if (watched[i].revents == 0) continue;
      ends.push_back(reap(running_[i]));
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return {};
  }

  void kill_all(const Patience& patience, std::vector<MemberEnd>& ends) {
    for (const Child& child : running_) {
      kill(child.pid, SIGKILL);
      reap(child);
      ends.push_back(patience.outstayed(child.rank, "killed"));
    }
    running_.clear();
  }

  /// Kills the process of `rank` and waits until it is gone: its end is told to nobody.
  void kill_one(std::uint32_t rank) {
    const auto child = std::ranges::find(running_, rank, &Child::rank);
    kill(child->pid, SIGKILL);
    reap(*child);
    running_.erase(child);
  }

  [[nodiscard]] bool runs(std::uint32_t rank) const {
    return std::ranges::find(running_, rank, &Child::rank) != running_.end();
  }
  [[nodiscard]] bool empty() const { return running_.empty(); }

 private:
  struct Child {
    std::uint32_t rank;
    pid_t pid;
    int descriptor;
  };

  [[noreturn]] static void run_child(std::uint32_t rank, const Body& body, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // The parent may have died before the line above took effect.
    if (getppid() != parent) _exit(EXIT_FAILURE);
    const int status = body(rank);
    std::fflush(nullptr);
    _exit(status);
  }

  static MemberEnd reap(const Child& child) {
    int status = 0;
    while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (child.descriptor >= 0) close(child.descriptor);
    if (WIFEXITED(status)) return exited(child.rank, WEXITSTATUS(status));
    const int signal = WTERMSIG(status);
    return {child.rank, Ending::signalled, signal,
            fmt::format("killed by signal {} ({})", signal, strsignal(signal))};
  }

  std::vector<Child> running_;
};

/// How often a strike is asked whether it is due.
constexpr int kStrikeLookMs = 1;

/// Kills and starts again if it is time. True if nothing is left to do.
Expected<bool> strike_if_due(const Strike& strike, Children& children, const Body& body) {
  if (!children.runs(strike.rank)) return true;
  if (!strike.due()) return false;
  strike.about_to_kill();
  children.kill_one(strike.rank);
  if (auto started = children.start(strike.rank, body); !started) {
    return std::unexpected(started.error());
  }
  return true;
}

/// `strike` may be null.
Expected<std::vector<MemberEnd>> run_processes(std::uint32_t count, std::uint64_t timeout_ns,
                                               std::uint64_t grace_ns, const Body& body,
                                               const Strike* strike) {
  Children children;
  Patience patience(timeout_ns, grace_ns);
  for (std::uint32_t rank = 0; rank < count; ++rank) {
    if (auto started = children.start(rank, body); !started) {
      return std::unexpected(started.error());
    }
  }
  std::vector<MemberEnd> ends;
  while (!children.empty()) {
    const std::size_t seen = ends.size();
    const int remaining_ms = patience.remaining_ms();
    if (strike != nullptr) {
      const auto over = strike_if_due(*strike, children, body);
      if (!over) return std::unexpected(over.error());
      if (*over) strike = nullptr;
    }
    const int wait_ms = strike == nullptr ? remaining_ms : std::min(remaining_ms, kStrikeLookMs);
    if (auto waited = children.wait(wait_ms, ends); !waited) {
      return std::unexpected(waited.error());
    }
    for (std::size_t i = seen; i < ends.size(); ++i) patience.note(ends[i]);
    if (remaining_ms == 0 && ends.size() == seen) children.kill_all(patience, ends);
  }
  std::ranges::sort(ends, {}, &MemberEnd::rank);
  return ends;
}

/// What the threads of one call share with it; they keep it alive if they outstay their time.
struct Threads {
  std::mutex mutex;
  std::condition_variable one_ended;
  std::vector<MemberEnd> ends;
  Body body;
};

Expected<std::vector<MemberEnd>> run_threads(std::uint32_t count, std::uint64_t timeout_ns,
                                             std::uint64_t grace_ns, const Body& body) {
  auto shared = std::make_shared<Threads>();
  shared->body = body;
  Patience patience(timeout_ns, grace_ns);
  std::vector<std::thread> threads;
  try {
    for (std::uint32_t rank = 0; rank < count; ++rank) {
      threads.emplace_back([shared, rank] {
        const int status = shared->body(rank);
        const std::lock_guard lock(shared->mutex);
        shared->ends.push_back(exited(rank, status));
        shared->one_ended.notify_one();
      });
    }
  } catch (const std::system_error& error) {
    for (std::thread& thread : threads) thread.detach();
    return fail(ErrorCode::system, fmt::format("cannot start the thread of rank {}: {}",
                                               threads.size(), error.what()));
  }
  std::unique_lock lock(shared->mutex);
  for (std::size_t seen = 0; seen < count;) {
    const bool more = shared->one_ended.wait_until(lock, patience.deadline(),
                                                   [&] { return shared->ends.size() > seen; });
    if (!more) break;
    while (seen < shared->ends.size()) patience.note(shared->ends[seen++]);
  }
  std::vector<MemberEnd> ends = shared->ends;
  lock.unlock();
  for (std::uint32_t rank = 0; rank < count; ++rank) {
    if (std::ranges::find(ends, rank, &MemberEnd::rank) == ends.end()) {
      ends.push_back(patience.outstayed(rank, "left running"));
      threads[rank].detach();
    } else {
      threads[rank].join();
    }
  }
  std::ranges::sort(ends, {}, &MemberEnd::rank);
  return ends;
}

}  // namespace

Expected<std::vector<MemberEnd>> run_members(std::uint32_t count, As as, std::uint64_t timeout_ns,
                                             const Body& body, std::uint64_t grace_ns) {
  if (count == 0 || !body) {
    return fail(ErrorCode::invalid_argument, "run_members needs at least one member and a body");
  }
  if (as == As::processes) return run_processes(count, timeout_ns, grace_ns, body, nullptr);
  return run_threads(count, timeout_ns, grace_ns, body);
}

Expected<std::vector<MemberEnd>> run_members_and_strike(std::uint32_t count,
                                                        std::uint64_t timeout_ns, const Body& body,
                                                        const Strike& strike,
                                                        std::uint64_t grace_ns) {
  if (strike.rank >= count || !body || !strike.due || !strike.about_to_kill) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("run_members_and_strike needs a body, and a strike at one of its {} "
                            "members that says when it is due",
                            count));
  }
  return run_processes(count, timeout_ns, grace_ns, body, &strike);
}

}  // namespace lockstep::launch
