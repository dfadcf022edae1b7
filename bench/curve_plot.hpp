#pragma once

#include <string>
#include <vector>

#include "bench/result.hpp"

namespace lockstep::bench {

/// One line of a plot. `style` is a class of the page's style sheet: "subject", "floor", "peer".
struct PlotLine {
  std::string name;
  std::string style;
  std::vector<CurvePoint> points;
};

/// Latency by percentile as an SVG element. To the right every step is a tenth of what is left of
/// the tail (90, 99, 99.9 % …, after HdrHistogram's plots: Tene), upwards every step is a tenfold
/// duration. Lines without points are left out; empty text if none has any.
std::string plot_curves(const std::string& title, const std::vector<PlotLine>& lines);

}  // namespace lockstep::bench
