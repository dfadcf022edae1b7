#include "bench/adopted_processes.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

namespace lockstep::bench {

AdoptedProcesses::AdoptedProcesses() noexcept { prctl(PR_SET_CHILD_SUBREAPER, 1); }

AdoptedProcesses::~AdoptedProcesses() {
  constexpr std::chrono::seconds kPatience{10};
  constexpr useconds_t kPauseUs = 5'000;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (pid_t ended = 0; ended >= 0 && std::chrono::steady_clock::now() < deadline;) {
    ended = waitpid(-1, nullptr, WNOHANG);
    if (ended == 0) usleep(kPauseUs);
  }
  prctl(PR_SET_CHILD_SUBREAPER, 0);
}

}  // namespace lockstep::bench
