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
  return ratio ? fmt::format("{:.{}f}", *ratio, *ratio < 0.1 ? 4 : 2) : "-";
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

std::string comparison_heading() {
  return fmt::format("{:<13}{:<36}{:<12}{:>11}{:>11}{:>11}{:>11}{:>15}\n", "peer", "measures",
                     "lockstep", "p50", "p99", "peer p50", "peer p99", "lockstep/peer");
}

std::string to_line(const Comparison& comparison) {
  const std::string line = fmt::format("{:<13}{:<36}", comparison.peer, comparison.measured);
  if (!comparison.not_run.empty()) return line + fmt::format("not run: {}\n", comparison.not_run);
  using S = LatencySummary;
  return line + fmt::format("{:<12}{:>11}{:>11}{:>11}{:>11}{:>8} (1/{:.1f})\n",
                            comparison.transport, words(comparison.group_ns, &S::p50),
                            words(comparison.group_ns, &S::p99), words(comparison.peer_ns, &S::p50),
                            words(comparison.peer_ns, &S::p99), ratio_words(comparison.ratio_p50),
                            1 / comparison.ratio_p50.value_or(1));
}

}  // namespace lockstep::bench
