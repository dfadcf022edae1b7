#include <fmt/format.h>

#include "bench/markup.hpp"
#include "bench/options.hpp"
#include "bench/report.hpp"

namespace lockstep::bench {
namespace {

std::string words(const std::optional<LatencySummary>& summary,
                  std::uint64_t LatencySummary::* quantile) {
  return summary ? duration_words(static_cast<double>((*summary).*quantile)) : "-";
}

std::string rate_words(const std::optional<double>& messages_per_s) {
  return messages_per_s ? fmt::format("{:.3g} M/s", *messages_per_s / 1e6) : "-";
}

std::string ratio_words(const std::optional<double>& ratio) {
  return ratio ? fmt::format("{:.2f}", *ratio) : "-";
}

}  // namespace

std::string line_heading() {
  return fmt::format("{:<11}{:<10}{:>8}{:>10}  {:<8}{:>12}{:>12}{:>12}{:>8}\n", "scenario",
                     "transport", "members", "payload", "idle", "p50, rate", "p99", "floor",
                     "ratio");
}

std::string to_line(const Result& result) {
  std::string line = fmt::format("{:<11}{:<10}{:>8}{:>8} B  ", result.scenario, result.transport,
                                 result.members, result.payload_bytes);
  if (!result.not_run.empty()) {
    return line + fmt::format("{}: {}\n", result.failed ? "failed" : "not run", result.not_run);
  }
  line += fmt::format("{:<8}", result.idle);
  if (result.scenario == to_string(Scenario::latency)) {
    return line +
           fmt::format("{:>12}{:>12}{:>12}{:>8}\n", words(result.latency_ns, &LatencySummary::p50),
                       words(result.latency_ns, &LatencySummary::p99),
                       words(result.floor_ns, &LatencySummary::p50), ratio_words(result.ratio_p50));
  }
  return line + fmt::format("{:>12}{:>12}{:>12}{:>8}\n", rate_words(result.messages_per_s), "",
                            rate_words(result.floor_messages_per_s),
                            ratio_words(result.ratio_throughput));
}

}  // namespace lockstep::bench
