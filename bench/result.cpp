#include "bench/result.hpp"

namespace lockstep::bench {

LatencySummary summarize(const launch::Histogram& histogram) {
  return {.min = histogram.min(),
          .p50 = histogram.percentile(50),
          .p90 = histogram.percentile(90),
          .p99 = histogram.percentile(99),
          .p999 = histogram.percentile(99.9),
          .max = histogram.max(),
          .count = histogram.count()};
}

}  // namespace lockstep::bench
