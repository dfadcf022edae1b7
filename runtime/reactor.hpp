#pragma once

#include <poll.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/config.hpp"
#include "lockstep/error.hpp"
#include "runtime/clock.hpp"
#include "runtime/counters.hpp"
#include "runtime/doorbell.hpp"
#include "runtime/duty.hpp"

namespace lockstep::runtime {

/// One thread, one loop: turns of every duty, then the idle policy.
///
/// Waiting is the reactor's alone, so that it waits once for everything (ppoll(2) on its doorbell
/// and what the duties contribute). No duty sleeps by itself.
class Reactor {
 public:
  /// Pins the calling thread, opens the counters file, makes the doorbell. What fails is kept in
  /// `status`, what is tolerated in `notices`.
  explicit Reactor(const ReactorConfig& config);

  /// The error that keeps this reactor from being used, if any.
  [[nodiscard]] const Expected<void>& status() const noexcept { return status_; }

  void attach(Duty& duty);
  void detach(Duty& duty) noexcept;

  void run();
  bool poll_once();
  void idle(std::uint64_t max_ns);
  void stop() noexcept;

  /// For other threads that left work in a mailbox: wakes the reactor if it sleeps. Pairs with the
  /// sequentially consistent store of `sleeping_` in `sleep`.
  void wake_if_sleeping() noexcept;

  /// Turns `automatic` into a policy once it is known whether every reactor of the group on this
  /// host can have a CPU. The first group decides. A thread that shares its CPU asks for short
  /// time slices.
  void resolve_idle(bool cpu_for_each_reactor) noexcept;
  [[nodiscard]] IdlePolicy idle_policy() const noexcept { return policy_; }

  [[nodiscard]] const ReactorConfig& config() const noexcept { return config_; }
  [[nodiscard]] const TscClock& clock() const noexcept { return clock_; }
  /// What tells this reactor from every other on this host: "pid.address".
  [[nodiscard]] std::string identity() const;
  /// CPUs that the reactor thread may run on: one if it is pinned.
  [[nodiscard]] const std::vector<std::uint32_t>& cpus() const noexcept { return cpus_; }
  [[nodiscard]] const Doorbell& doorbell() const noexcept { return doorbell_; }
  [[nodiscard]] Counters& counters() noexcept { return *counters_; }
  [[nodiscard]] const std::vector<std::string>& notices() const noexcept { return notices_; }
  void note(std::string notice);

 private:
  Expected<void> set_up();
  Expected<void> place_thread();
  void sleep(std::uint64_t max_ns);
  [[nodiscard]] bool prepare_to_sleep() noexcept;
  void wait(std::uint64_t max_ns) noexcept;

  ReactorConfig config_;
  IdlePolicy policy_;
  TscClock clock_;
  Doorbell doorbell_;
  std::unique_ptr<Counters> counters_;
  std::optional<Counter> sleeps_;
  std::vector<std::uint32_t> cpus_;
  std::vector<std::string> notices_;
  Expected<void> status_;

  std::vector<Duty*> duties_;
  std::vector<pollfd> waited_on_;
  static constexpr std::uint32_t kSpinsPerClockReading = 8;
  std::uint64_t now_ns_;
  std::uint32_t turns_ = 0;
  bool spinning_ = false;            ///< the last thing was an idle call that returned at once
  std::uint64_t idle_since_ns_ = 0;  ///< 0: the last turn did something
  std::uint32_t yields_ = 0;
  std::atomic<bool> stopped_{false};
  std::atomic<bool> sleeping_{false};
};

}  // namespace lockstep::runtime
