#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lockstep/error.hpp"

namespace lockstep::launch {

/// What a member runs as.
enum class As : std::uint8_t { processes, threads };

/// How one member came to its end.
enum class Ending : std::uint8_t {
  exited,     ///< by itself; `status` is what its body returned
  signalled,  ///< a signal that nobody here sent; `status` is the signal
  timed_out,  ///< it still ran at the deadline; `status` is 0
  stopped,    ///< it still ran too long after another member had ended badly; `status` is 0
};

struct MemberEnd {
  std::uint32_t rank = 0;
  Ending ending = Ending::exited;
  int status = 0;
  /// For people: "ended with status 3", "killed by signal 9 (Killed)", "timed out after 60 s".
  std::string words;

  [[nodiscard]] bool good() const noexcept { return ending == Ending::exited && status == 0; }
};

/// How long the others may go on after one member ended badly: enough to notice the loss, to
/// report it and to end by themselves.
inline constexpr std::uint64_t kGraceNs = 5'000'000'000;

/// Runs `body(rank)` for ranks 0 … count-1 on this host and waits until all have ended, or until
/// `timeout_ns` have passed. Returns one end per rank, in rank order. For programs and tests.
///
/// Processes are forked without exec, so the body sees all that the caller prepared (SharedArray
/// carries results back). A child flushes stdio and leaves with `_exit`: no destructor and no exit
/// handler of the parent runs in it. Every child is killed when the calling thread ends, however
/// that happens, and those that outstay their time are killed by pid: none outlives the call. Call
/// it while the process has one thread; fork(2) copies only the calling one.
///
/// Threads cannot be killed. One that outstays its time is reported and left running; what the
/// body refers to must then outlive it, so the program should end with `_exit` soon.
///
/// Blocks. Errors: invalid_argument (no members, no body), system (fork, pidfd_open or poll failed:
/// children already started are killed first; a thread could not be started: others go on).
/// Once one has ended badly the others have `grace_ns` left.
Expected<std::vector<MemberEnd>> run_members(std::uint32_t count, As as, std::uint64_t timeout_ns,
                                             const std::function<int(std::uint32_t rank)>& body,
                                             std::uint64_t grace_ns = kGraceNs);

/// A process that is killed while it runs, and started again.
struct Strike {
  std::uint32_t rank = 0;
  /// Asked every millisecond, until it says that the time has come.
  std::function<bool()> due;
  /// Called right before the kill: to take the time.
  std::function<void()> about_to_kill;
};

/// As run_members, as processes; when `strike.due()`, the process of `strike.rank` gets a SIGKILL,
/// by its pid, and once it is gone `body` runs for that rank again in a new one. The end of that
/// rank is the end of the new process; that of the old one counts as no end at all, unless it came
/// by itself, before it was due: then nobody is killed, and it is the end of that rank.
///
/// `due` and `about_to_kill` run in the calling process. Errors: those of run_members;
/// invalid_argument (no such rank, no `due`, no `about_to_kill`).
Expected<std::vector<MemberEnd>> run_members_and_strike(
    std::uint32_t count, std::uint64_t timeout_ns,
    const std::function<int(std::uint32_t rank)>& body, const Strike& strike,
    std::uint64_t grace_ns = kGraceNs);

}  // namespace lockstep::launch
