#pragma once

#include <memory>

#include "bench/options.hpp"
#include "bench/result.hpp"
#include "lockstep/error.hpp"
#include "tools/launch/histogram.hpp"
#include "tools/launch/partitions.hpp"

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

/// A result of latency with the distributions behind it, so that runs can be merged.
struct Measured {
  Result result;
  std::unique_ptr<launch::Histogram> latency;
  std::unique_ptr<launch::Histogram> floor;
};
/// One run of latency with the members in `network` (null: where this process is), whatever is lost
/// there. Errors as of run().
Expected<Measured> measure_latency(const Options& options,
                                   std::shared_ptr<const launch::Partitions> network);

/// The result of what was asked for and did not come about, naming why. Whether this machine lacks
/// something or the group failed (a member lost, members that disagree, a deadline) is in `failed`.
Result unmeasured(const Options& options, const Error& error);

}  // namespace lockstep::bench
