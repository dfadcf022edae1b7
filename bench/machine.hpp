#pragma once

#include <cstdint>
#include <vector>

#include "bench/result.hpp"

namespace lockstep::bench {

/// The CPUs this process may run on, in ascending order: sched_getaffinity(2).
std::vector<std::int32_t> allowed_cpus();

/// Describes the machine now. What cannot be learnt is "unknown". Reads /proc; blocks shortly.
Machine describe_machine();

}  // namespace lockstep::bench
