#include "bench/merged_latency.hpp"

#include "bench/blocks.hpp"

namespace lockstep::bench {

void MergedLatency::add(const Measured& run) {
  last_ = run.result;
  blocks_ += run.result.blocks;
  if (run.result.ratio_p50) ratios_.push_back(*run.result.ratio_p50);
  latency_->merge(*run.latency);
  floor_->merge(*run.floor);
}

Result MergedLatency::result() const {
  Result merged = last_;
  merged.latency_ns = summarize(*latency_);
  merged.latency_curve = curve(*latency_);
  merged.floor_ns = summarize(*floor_);
  merged.floor_curve = curve(*floor_);
  // Those of one run would stand beside the figures of all.
  merged.latency_last_ns.reset();
  merged.ranks.clear();
  merged.result_hash.reset();
  merged.ratio_p50 = median(ratios_);
  merged.blocks = blocks_;
  return merged;
}

}  // namespace lockstep::bench
