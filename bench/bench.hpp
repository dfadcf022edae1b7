#pragma once

#include "bench/options.hpp"
#include "bench/result.hpp"
#include "lockstep/error.hpp"

namespace lockstep::bench {

/// Runs one benchmark and reports. Starts the members itself, as processes or threads of this
/// host; blocks until they have ended, which they do whatever happens to one of them. Call it
/// while the process has one thread. See docs/bench.md for the method.
///
/// Errors: invalid_argument (naming the option), no_memory, and whatever ended a member, naming
/// its rank; mismatch when members did not deliver the same messages in the same order.
Expected<Report> run(const Options& options);

/// The same without the machine: one result.
Expected<Result> measure(const Options& options);

/// The result of what was asked for and did not come about, naming why. Whether this machine lacks
/// something or the group failed (a member lost, members that disagree, a deadline) is in `failed`.
Result unmeasured(const Options& options, const Error& error);

}  // namespace lockstep::bench
