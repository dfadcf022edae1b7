#pragma once

#include <memory>
#include <vector>

#include "bench/bench.hpp"
#include "bench/result.hpp"
#include "tools/launch/histogram.hpp"

namespace lockstep::bench {

/// Several runs of one kind as one result: subjects that no single group can alternate between (a
/// lossy network, somebody else's program) take turns run by run.
class MergedLatency {
 public:
  void add(const Measured& run);

  /// Quantiles and curves of all runs together; the ratio is the median of the runs'. What else a
  /// result says is that of the last run. At least one run must have been added.
  [[nodiscard]] Result result() const;

 private:
  Result last_;
  std::uint64_t blocks_ = 0;
  std::vector<double> ratios_;
  std::unique_ptr<launch::Histogram> latency_ = std::make_unique<launch::Histogram>();
  std::unique_ptr<launch::Histogram> floor_ = std::make_unique<launch::Histogram>();
};

}  // namespace lockstep::bench
