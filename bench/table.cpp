#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "bench/report.hpp"

namespace lockstep::bench {
namespace {

using Out = std::back_insert_iterator<std::string>;

void quantiles(Out out, std::string_view what, const LatencySummary& summary) {
  fmt::format_to(out, "  {:<25} {:>9} {:>9} {:>9} {:>9} {:>10} {:>11} {:>11}\n", what, summary.min,
                 summary.p50, summary.p90, summary.p99, summary.p999, summary.max, summary.count);
}

void latencies(Out out, const Result& result) {
  if (!result.latency_ns && !result.floor_ns && !result.blackout_ns) return;
  fmt::format_to(out, "  {:<25} {:>9} {:>9} {:>9} {:>9} {:>10} {:>11} {:>11}\n", "ns", "min", "p50",
                 "p90", "p99", "p99.9", "max", "count");
  if (result.latency_ns) quantiles(out, "to own delivery", *result.latency_ns);
  if (result.latency_last_ns) quantiles(out, "to the last delivery", *result.latency_last_ns);
  for (const RankResult& rank : result.ranks) {
    if (!rank.latency_ns) continue;
    quantiles(out, fmt::format("  sent by rank {}", rank.rank), *rank.latency_ns);
  }
  if (result.blackout_ns) quantiles(out, "kill to last resumption", *result.blackout_ns);
  if (result.change_ns) quantiles(out, "the change itself", *result.change_ns);
  const char* const floor = result.runs ? "floor: kill to first sign" : "floor: raw round trip";
  if (result.floor_ns) quantiles(out, floor, *result.floor_ns);
}

void extremes(Out out, const Result& result) {
  const RankResult* best = nullptr;
  const RankResult* worst = nullptr;
  for (const RankResult& rank : result.ranks) {
    if (!rank.latency_ns) continue;
    if (best == nullptr || rank.latency_ns->p50 < best->latency_ns->p50) best = &rank;
    if (worst == nullptr || rank.latency_ns->p50 > worst->latency_ns->p50) worst = &rank;
  }
  if (best == nullptr || best == worst) return;
  fmt::format_to(out, "  best rank {} p50 {} ns, worst rank {} p50 {} ns\n", best->rank,
                 best->latency_ns->p50, worst->rank, worst->latency_ns->p50);
}

void rate(Out out, std::string_view what, std::optional<double> messages_per_s,
          std::optional<double> bytes_per_s) {
  if (!messages_per_s) return;
  fmt::format_to(out, "  {:<26}{:>12.0f} msg/s{:>12.1f} MB/s\n", what, *messages_per_s,
                 bytes_per_s.value_or(0) / 1e6);
}

void ratios(Out out, const Result& result) {
  if (result.ratio_p50) {
    fmt::format_to(out, "  {:<26}{:>12.2f}   p50 over the floor's p50, median of {} block pairs\n",
                   "ratio", *result.ratio_p50, result.blocks);
  }
  if (result.ratio_throughput) {
    fmt::format_to(out,
                   "  {:<26}{:>12.2f}   rate over the floor's rate, median of {} block pairs\n",
                   "ratio", *result.ratio_throughput, result.blocks);
  }
}

void prices(Out out, const Result& result) {
  if (result.ratio_p99_loss) {
    fmt::format_to(out, "  {:<26}{:>12.2f}   p99 over the loss-free p99, median of the turns\n",
                   "price of loss", *result.ratio_p99_loss);
  }
  if (result.ratio_p50_encryption) {
    fmt::format_to(out, "  {:<26}{:>12.2f}   p50 over that in the clear, median of the turns\n",
                   "price of encryption", *result.ratio_p50_encryption);
  }
}

void kills(Out out, const Result& result) {
  if (!result.runs) return;
  fmt::format_to(out, "  {:<26}{:>12}   in {} runs\n", "false evictions",
                 result.false_evictions.value_or(0), *result.runs);
}

void shares(Out out, const Result& result) {
  for (const RankResult& rank : result.ranks) {
    if (!rank.cpu_share) continue;
    fmt::format_to(out, "  rank {:<3} used {:>8.3f} % of a core\n", rank.rank,
                   *rank.cpu_share * 100);
  }
}

void heading(Out out, const Result& result) {
  fmt::format_to(out, "{}: {} members as {}, {} sending {} B", result.scenario, result.members,
                 result.as, result.senders, result.payload_bytes);
  if (result.rate > 0) fmt::format_to(out, " at {:.0f} msg/s (open loop)", result.rate);
  if (result.loss_percent > 0) fmt::format_to(out, ", {} % loss", result.loss_percent);
  if (result.encrypted) fmt::format_to(out, ", encrypted");
  fmt::format_to(out, ", {}, {}, idle {}", result.transport, result.ordering, result.idle);
  if (result.cores.empty()) {
    fmt::format_to(out, ", not pinned\n");
  } else {
    fmt::format_to(out, ", on CPUs {}\n", fmt::join(result.cores, ","));
  }
}

}  // namespace

std::string to_table(const Report& report) {
  std::string text;
  const Out out(text);
  const Machine& machine = report.machine;
  fmt::format_to(out, "{}, {} CPUs ({} allowed), {}, load {:.2f}\n", machine.cpu, machine.cores,
                 machine.allowed_cpus.size(), machine.kernel, machine.load_average[0]);
  for (const Result& result : report.results) {
    heading(out, result);
    latencies(out, result);
    extremes(out, result);
    rate(out, "rate", result.messages_per_s, result.bytes_per_s);
    rate(out, "floor: raw stream", result.floor_messages_per_s, result.floor_bytes_per_s);
    ratios(out, result);
    prices(out, result);
    kills(out, result);
    shares(out, result);
    if (result.result_hash) {
      fmt::format_to(out, "  {:<26}{:>16}   equal on all members\n", "result hash",
                     *result.result_hash);
    }
    for (const std::string& notice : result.notices) fmt::format_to(out, "  note: {}\n", notice);
  }
  return text;
}

}  // namespace lockstep::bench
