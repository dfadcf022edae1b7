#include "bench/result.hpp"

#include <array>

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

std::vector<CurvePoint> curve(const launch::Histogram& histogram) {
  static constexpr std::array kPercents = {0.0,   10.0,  25.0,   50.0,   75.0,   90.0,
                                           95.0,  97.5,  99.0,   99.5,   99.75,  99.9,
                                           99.95, 99.99, 99.995, 99.999, 99.9999};
  std::vector<CurvePoint> points;
  for (const double percent : kPercents) {
    // A thousandth of leniency: 0.1 % of 1 000 comes out as a little less than one.
    if (static_cast<double>(histogram.count()) * (100 - percent) / 100 < 0.999) break;
    points.push_back({percent, histogram.percentile(percent)});
  }
  return points;
}

}  // namespace lockstep::bench
