#pragma once

#include <atomic>
#include <functional>
#include <mutex>

#include "lockstep/error.hpp"
#include "lockstep/reactor.hpp"
#include "tools/node/descriptor.hpp"

namespace lockstep::node {

/// SIGINT and SIGTERM, as something to poll. Signals are blocked in the thread that makes this, and
/// in all that it starts, so none of them is interrupted; whoever polls `descriptor` calls
/// `accept`.
class StopRequest {
 public:
  /// `end_now` ends the program: there is no group to leave yet, or somebody asked twice.
  explicit StopRequest(std::function<void(bool again)> end_now) : end_now_(std::move(end_now)) {}

  /// Errors: system.
  Expected<void> open();
  [[nodiscard]] int descriptor() const noexcept { return signals_.get(); }
  /// Takes a signal that is there. Any thread.
  void accept();

  /// The reactor to be woken by a request; null: there is none, and a request ends the program.
  void wakes(Reactor* reactor);
  [[nodiscard]] bool made() const noexcept { return made_.load(); }

 private:
  const std::function<void(bool again)> end_now_;
  Descriptor signals_;
  std::mutex lock_;
  Reactor* reactor_ = nullptr;
  std::atomic<bool> made_{false};
};

}  // namespace lockstep::node
