#pragma once

#include "tools/doctor/probes.hpp"

namespace lockstep::doctor {

/// Tries everything on this machine, each within two seconds and without leaving a trace: sockets
/// of the loopback interface, memory, a queue pair that is never connected.
class SystemProbes final : public Probes {
 public:
  Trial io_uring() override;
  Trial shm() override;
  Trial tcp() override;
  Trial udp() override;
  Trial verbs() override;
  Trial dpdk_plugin() override;
};

/// Answers for a copy of another machine's files, where nothing can be tried.
class NoProbes final : public Probes {
 public:
  Trial io_uring() override { return untried(); }
  Trial shm() override { return untried(); }
  Trial tcp() override { return untried(); }
  Trial udp() override { return untried(); }
  Trial verbs() override { return untried(); }
  Trial dpdk_plugin() override { return untried(); }

 private:
  static Trial untried() {
    return {.works = false,
            .found = "not tried: --root names another machine's files",
            .mend = "lockstep doctor   # on that machine"};
  }
};

/// What SystemProbes asks, each in a file of its own.
[[nodiscard]] Trial try_io_uring();
[[nodiscard]] Trial try_shm();
[[nodiscard]] Trial try_tcp();
[[nodiscard]] Trial try_udp();
[[nodiscard]] Trial try_verbs();

}  // namespace lockstep::doctor
