#pragma once

#include <cstdint>

#include "bench/options.hpp"
#include "bench/result.hpp"
#include "lockstep/error.hpp"

namespace lockstep::bench {

/// Kills one member of a busy group of processes, run after run, each time another rank, and takes
/// the time from kill(2) to the first delivery in the next view at the last survivor. The floor of
/// the same run is how long the kernel takes from kill(2) of a process as large to the first sign
/// of it that another process can see: the owner's death in a robust mutex (shared memory), or the
/// end of a socket.
///
/// Blocks; forks; allocates. Errors: those of joining; member_lost (a survivor failed); timed_out.
Expected<Result> run_failover(const Plan& plan);

}  // namespace lockstep::bench
