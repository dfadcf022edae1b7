#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lockstep/config.hpp"
#include "lockstep/export.hpp"

namespace lockstep {

namespace runtime {
class Reactor;
}

/// One thread's loop. Groups are attached to it by Group::join; several may share one.
///
/// Make it on the thread that will run it and use it from that thread only (`stop` excepted): its
/// peers watch for the death of that thread. It starts no thread and installs no signal handler; a
/// group over tcp, udp or verbs starts one that sleeps (docs/transports.md, life lines).
class LOCKSTEP_EXPORT Reactor {
 public:
  /// Pins the calling thread if `config.core` asks for it and opens the counters file. Never
  /// throws: what went wrong is kept and returned by the first Group::join.
  explicit Reactor(const ReactorConfig& config = {});
  ~Reactor();
  Reactor(Reactor&&) noexcept;
  Reactor& operator=(Reactor&&) = delete;

  /// Runs the loop, idling by policy, until `stop`. Allocates nothing and, while there is work,
  /// makes no system call.
  void run();

  /// One turn of the loop for every group. Never blocks. True if anything was done. The way to own
  /// the loop: `while (…) if (!reactor.poll_once()) reactor.idle();`
  bool poll_once();

  /// What the idle policy says after a fruitless turn: returns at once, yields, or sleeps until a
  /// doorbell, a deadline of the protocol, or `max_ns`.
  void idle(std::uint64_t max_ns = ~std::uint64_t{0});

  /// Makes `run` return after its current turn. Any thread; async-signal-safe.
  void stop() noexcept;

  /// The policy in force: never `automatic` once a group has joined.
  [[nodiscard]] IdlePolicy idle_policy() const noexcept;

  /// What was tolerated rather than refused, in words: a pin that the system denied, huge pages
  /// that were not there, a stale counters file that was taken over.
  [[nodiscard]] const std::vector<std::string>& notices() const noexcept;

  /// For the library's own parts.
  [[nodiscard]] runtime::Reactor& implementation() noexcept { return *reactor_; }

 private:
  std::unique_ptr<runtime::Reactor> reactor_;
};

}  // namespace lockstep
