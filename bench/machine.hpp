#pragma once

#include "bench/options.hpp"
#include "bench/result.hpp"

namespace lockstep::bench {

/// The CPUs this process may run on, and in which order members should get them.
Cpus find_cpus();

/// Describes the machine now. What cannot be learnt is "unknown". Reads /proc; blocks shortly.
Machine describe_machine();

}  // namespace lockstep::bench
