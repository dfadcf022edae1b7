#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/error.hpp"
#include "tools/launch/child.hpp"
#include "transports/hello/descriptor.hpp"

namespace lockstep::bench {

/// A program of bench/peers/ that measures somebody else's system: it starts that system's
/// daemons, which the kernel ends with it, and answers one line of JSON to each line it is sent.
///
///     (start)        {"name": "corosync", "version": "3.1.7"}
///     measure N      {"latency_ns": [N durations]}
///     failover       {"blackout_ns": a duration}
///     (end of input: it ends)
///
/// In place of each answer, {"error": why it is not to be had}. No wait is longer than its
/// deadline: whoever misses one, or says anything else, is killed by pid.
class PeerProcess {
 public:
  /// Starts `command`, a path and its arguments, and waits for its first line. `complaints` is a
  /// file for its stderr; errors quote the end of it. Errors: not_supported (there is no such
  /// program, or it says why it cannot measure here), timed_out, system, input (its line is no
  /// answer).
  static Expected<PeerProcess> start(const std::vector<std::string>& command,
                                     const std::string& complaints, std::uint64_t timeout_ns);

  PeerProcess(PeerProcess&&) = default;
  PeerProcess& operator=(PeerProcess&&) = delete;
  ~PeerProcess();

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const std::string& version() const noexcept { return version_; }

  /// Errors of both: as of start; a peer that failed once answers no more.
  Expected<std::vector<std::uint64_t>> measure(std::uint64_t samples, std::uint64_t timeout_ns);
  Expected<std::uint64_t> fail_over(std::uint64_t timeout_ns);

 private:
  PeerProcess(launch::Child child, transports::Descriptor input, transports::Descriptor output,
              std::string program, std::string complaints);
  Expected<void> greet(std::uint64_t timeout_ns);
  Expected<std::string> ask(std::string_view question, std::uint64_t timeout_ns);
  Expected<std::string> read_line(std::uint64_t timeout_ns);
  [[nodiscard]] std::string last_words() const;

  launch::Child child_;
  transports::Descriptor input_;
  transports::Descriptor output_;
  std::string program_;
  std::string complaints_;
  std::string unread_;
  std::string name_;
  std::string version_;
};

}  // namespace lockstep::bench
