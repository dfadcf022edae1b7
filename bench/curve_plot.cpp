#include "bench/curve_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "bench/markup.hpp"

namespace lockstep::bench {
namespace {

using Out = std::back_insert_iterator<std::string>;

constexpr double kWidth = 640;
constexpr double kHeight = 300;
constexpr double kLeft = 70;
constexpr double kRight = 20;
constexpr double kTop = 12;
constexpr double kBottom = 52;

/// How many nines a percentile has: 0 → 0, 90 → 1, 99.9 → 3.
double nines(double percent) { return -std::log10(1 - percent / 100); }

/// A zero has no logarithm: a clock that ticks coarsely may measure one.
double magnitude(std::uint64_t ns) {
  return std::log10(static_cast<double>(std::max<std::uint64_t>(ns, 1)));
}

/// What the lines span.
struct Extent {
  double most_nines = 1;
  double least = 20;  ///< powers of ten, in ns
  double most = 0;

  void include(const CurvePoint& point) {
    most_nines = std::max(most_nines, nines(point.percent));
    least = std::min(least, magnitude(point.ns));
    most = std::max(most, magnitude(point.ns));
  }
  /// Ends at whole powers of ten.
  void round_out() {
    least = std::floor(least);
    most = std::max(std::ceil(most), least + 1);
  }
  [[nodiscard]] double x(double percent) const {
    return kLeft + nines(percent) / most_nines * (kWidth - kLeft - kRight);
  }
  [[nodiscard]] double y(double power) const {
    return kTop + (most - power) / (most - least) * (kHeight - kTop - kBottom);
  }
};

void percent_axis(Out out, const Extent& extent) {
  static constexpr std::array kTicks = {0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999};
  const double bottom = kHeight - kBottom;
  for (const double percent : kTicks) {
    if (nines(percent) > extent.most_nines + 1e-9) break;
    const double x = extent.x(percent);
    fmt::format_to(out, R"(<line class="grid" x1="{0:.1f}" y1="{1}" x2="{0:.1f}" y2="{2}"/>)", x,
                   kTop, bottom);
    fmt::format_to(out, R"(<text x="{:.1f}" y="{}" text-anchor="middle">{} %</text>)", x,
                   bottom + 16, percent);
    *out++ = '\n';
  }
}

void duration_axis(Out out, const Extent& extent) {
  for (double power = extent.least; power <= extent.most; power += 1) {
    const double y = extent.y(power);
    fmt::format_to(out, R"(<line class="grid" x1="{0}" y1="{1:.1f}" x2="{2}" y2="{1:.1f}"/>)",
                   kLeft, y, kWidth - kRight);
    fmt::format_to(out, R"(<text x="{}" y="{:.1f}" text-anchor="end">{}</text>)", kLeft - 6, y + 4,
                   duration_words(std::pow(10, power)));
    *out++ = '\n';
  }
}

void draw(Out out, const Extent& extent, const PlotLine& line) {
  fmt::format_to(out, R"(<polyline class="{}" points=")", line.style);
  for (const CurvePoint& point : line.points) {
    fmt::format_to(out, "{:.1f},{:.1f} ", extent.x(point.percent), extent.y(magnitude(point.ns)));
  }
  fmt::format_to(out, "\"/>\n");
  for (const CurvePoint& point : line.points) {
    fmt::format_to(out,
                   R"(<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="2.5"><title>{}: {} % within {})"
                   "</title></circle>",
                   line.style, extent.x(point.percent), extent.y(magnitude(point.ns)),
                   escape_markup(line.name), point.percent,
                   duration_words(static_cast<double>(point.ns)));
  }
  *out++ = '\n';
}

/// Names and samples of the lines, below the axis.
void legend(Out out, const std::vector<PlotLine>& lines) {
  const double y = kHeight - 14;
  double x = kLeft;
  for (const PlotLine& line : lines) {
    if (line.points.empty()) continue;
    fmt::format_to(out, R"(<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>)", line.style, x,
                   y - 4, x + 22, y - 4);
    fmt::format_to(out, R"(<text x="{}" y="{}">{}</text>)", x + 28, y, escape_markup(line.name));
    *out++ = '\n';
    x += 44 + 7 * static_cast<double>(line.name.size());
  }
}

}  // namespace

std::string plot_curves(const std::string& title, const std::vector<PlotLine>& lines) {
  const auto empty = [](const PlotLine& line) { return line.points.empty(); };
  if (std::ranges::all_of(lines, empty)) return {};
  Extent extent;
  for (const PlotLine& line : lines) {
    for (const CurvePoint& point : line.points) extent.include(point);
  }
  extent.round_out();
  std::string svg;
  const Out out(svg);
  fmt::format_to(out, "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n", kWidth,
                 kHeight, escape_markup(title));
  percent_axis(out, extent);
  duration_axis(out, extent);
  for (const PlotLine& line : lines) {
    if (!line.points.empty()) draw(out, extent, line);
  }
  legend(out, lines);
  svg += "</svg>\n";
  return svg;
}

}  // namespace lockstep::bench
