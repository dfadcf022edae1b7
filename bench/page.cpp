#include "bench/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>

#include "bench/curve_plot.hpp"
#include "bench/markup.hpp"

namespace lockstep::bench {
namespace {

using Out = std::back_insert_iterator<std::string>;

constexpr const char* kHead = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>lockstep bench</title>
<style>
:root { color-scheme: light dark; --ink: #222; --faint: #8886; --subject: #06c; --floor: #888;
        --peer: #c50; }
@media (prefers-color-scheme: dark) { :root { --ink: #ddd; --subject: #6bf; --peer: #f95; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); max-width: 72em;
       margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; margin: 0.5em 0 1.5em; }
th, td { padding: 0.2em 0.8em 0.2em 0; text-align: right; border-bottom: 1px solid var(--faint);
         font-variant-numeric: tabular-nums; }
th:first-child, td:first-child, td.text { text-align: left; }
td.ratio { font-weight: bold; }
code { overflow-wrap: anywhere; }
figure { margin: 1em 0 2em; max-width: 44em; }
figcaption { margin-bottom: 0.4em; }
svg { width: 100%; font: 11px system-ui, sans-serif; }
svg text { fill: var(--ink); }
.grid { stroke: var(--faint); stroke-width: 0.6; }
polyline { fill: none; stroke-width: 1.8; }
.subject { stroke: var(--subject); } circle.subject { fill: var(--subject); }
.floor { stroke: var(--floor); } circle.floor { fill: var(--floor); }
.peer { stroke: var(--peer); } circle.peer { fill: var(--peer); }
</style>
</head>
<body>
<h1>lockstep bench</h1>
)";

std::string words(const std::optional<LatencySummary>& summary,
                  std::uint64_t LatencySummary::* quantile) {
  return summary ? duration_words(static_cast<double>((*summary).*quantile)) : "–";
}

std::string words(const std::optional<double>& value, const char* unit, double scale = 1) {
  if (!value) return "–";
  return fmt::format("{:.{}f}{}", *value / scale, *value / scale < 100 ? 2 : 0, unit);
}

/// One column of a table: its heading, and what stands in it for a result.
struct Column {
  const char* heading;
  std::function<std::string(const Result&)> cell;
};

Column quantile(const char* heading, std::optional<LatencySummary> Result::* summary,
                std::uint64_t LatencySummary::* which) {
  return {heading, [=](const Result& result) { return words(result.*summary, which); }};
}

Column rate(const char* heading, std::optional<double> Result::* messages_per_s) {
  return {heading,
          [=](const Result& result) { return words(result.*messages_per_s, " M/s", 1e6); }};
}

Column ratio(std::optional<double> Result::* which) {
  return {"ratio", [=](const Result& result) { return words(result.*which, " ×"); }};
}

std::string processor_shares(const Result& result) {
  std::string text;
  for (const RankResult& rank : result.ranks) {
    if (rank.cpu_share) text += fmt::format("{:.2f} % ", *rank.cpu_share * 100);
  }
  return text;
}

std::string eviction_words(const Result& result) {
  return fmt::format("{} in {} kills", result.false_evictions.value_or(0), result.runs.value_or(0));
}

/// What is worth a column in a scenario.
std::vector<Column> columns_of(const std::string& scenario) {
  using R = Result;
  using S = LatencySummary;
  if (scenario == "latency") {
    return {quantile("p50", &R::latency_ns, &S::p50),
            quantile("p99", &R::latency_ns, &S::p99),
            quantile("p99.9", &R::latency_ns, &S::p999),
            quantile("last delivery p50", &R::latency_last_ns, &S::p50),
            quantile("floor p50", &R::floor_ns, &S::p50),
            quantile("floor p99", &R::floor_ns, &S::p99),
            ratio(&R::ratio_p50)};
  }
  if (scenario == "failover") {
    return {quantile("blackout p50", &R::blackout_ns, &S::p50),
            quantile("blackout max", &R::blackout_ns, &S::max),
            quantile("the change p50", &R::change_ns, &S::p50),
            quantile("floor p50", &R::floor_ns, &S::p50),
            ratio(&R::ratio_p50),
            {"false evictions", eviction_words}};
  }
  if (scenario == "idle") return {{"share of a core, by rank", processor_shares}};
  std::vector<Column> columns;
  if (scenario == "floor") columns.push_back(quantile("floor p50", &R::floor_ns, &S::p50));
  if (scenario == "throughput") columns.push_back(rate("messages", &R::messages_per_s));
  columns.push_back(rate("floor", &R::floor_messages_per_s));
  if (scenario == "throughput") columns.push_back(ratio(&R::ratio_throughput));
  return columns;
}

void table_head(Out out, const std::vector<Column>& columns) {
  fmt::format_to(out,
                 "<table>\n<tr><th>transport</th><th>members</th><th>senders</th>"
                 "<th>payload</th><th>idle</th>");
  for (const Column& column : columns) fmt::format_to(out, "<th>{}</th>", column.heading);
  fmt::format_to(out, "</tr>\n");
}

std::string transport_words(const Result& result) {
  std::string words = result.transport;
  if (result.loss_percent > 0) words += fmt::format(", {} % loss", result.loss_percent);
  if (result.encrypted) words += ", encrypted";
  return words;
}

void table_row(Out out, const Result& result, const std::vector<Column>& columns) {
  fmt::format_to(out, "<tr><td>{}</td><td>{}</td><td>{}</td><td>{} B</td>",
                 escape_markup(transport_words(result)), result.members, result.senders,
                 result.payload_bytes);
  if (!result.not_run.empty()) {
    fmt::format_to(out, "<td class=\"text\" colspan=\"{}\">{}: {}</td></tr>\n", columns.size() + 1,
                   result.failed ? "failed" : "not run", escape_markup(result.not_run));
    return;
  }
  fmt::format_to(out, "<td>{}</td>", escape_markup(result.idle));
  for (const Column& column : columns) {
    const bool is_ratio = std::string_view(column.heading) == "ratio";
    fmt::format_to(out, "<td{}>{}</td>", is_ratio ? " class=\"ratio\"" : "",
                   escape_markup(column.cell(result)));
  }
  fmt::format_to(out, "</tr>\n");
}

/// The tables, one a scenario, in the order in which scenarios first come.
void tables(Out out, const Report& report) {
  std::vector<std::string> scenarios;
  for (const Result& result : report.results) {
    if (std::ranges::find(scenarios, result.scenario) == scenarios.end()) {
      scenarios.push_back(result.scenario);
    }
  }
  for (const std::string& scenario : scenarios) {
    const std::vector<Column> columns = columns_of(scenario);
    fmt::format_to(out, "<h2>{}</h2>\n", escape_markup(scenario));
    table_head(out, columns);
    for (const Result& result : report.results) {
      if (result.scenario == scenario) table_row(out, result, columns);
    }
    fmt::format_to(out, "</table>\n");
  }
}

std::string caption(const Result& result) {
  std::string text =
      fmt::format("{}: {} members as {}, {} sending {} B, {}, {}, idle {}", result.scenario,
                  result.members, result.as, result.senders, result.payload_bytes,
                  transport_words(result), result.ordering, result.idle);
  if (result.rate > 0) text += fmt::format(", open loop at {:.0f} messages/s", result.rate);
  if (result.ratio_p50_encryption) {
    text += fmt::format(" (p50 {:.2f} × that in the clear)", *result.ratio_p50_encryption);
  }
  if (result.ratio_p99_loss) {
    text += fmt::format(" (p99 {:.2f} × the loss-free p99)", *result.ratio_p99_loss);
  }
  if (result.ratio_p50) {
    text += fmt::format("; p50 {:.2f} × the floor's, median of {} block pairs", *result.ratio_p50,
                        result.blocks);
  }
  return text;
}

void comparison_row(Out out, const Comparison& one) {
  fmt::format_to(out, "<tr><td>{} {}</td><td class=\"text\">{}; {}</td>", escape_markup(one.peer),
                 escape_markup(one.version), escape_markup(one.measured),
                 escape_markup(one.medium));
  if (!one.not_run.empty()) {
    fmt::format_to(out, "<td class=\"text\" colspan=\"7\">not run: {}</td></tr>\n",
                   escape_markup(one.not_run));
    return;
  }
  using S = LatencySummary;
  fmt::format_to(out, "<td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>",
                 escape_markup(one.transport), words(one.group_ns, &S::p50),
                 words(one.group_ns, &S::p99), words(one.floor_ns, &S::p50),
                 words(one.peer_ns, &S::p50), words(one.peer_ns, &S::p99));
  const double ratio = one.ratio_p50.value_or(0);
  fmt::format_to(out, "<td class=\"ratio\">{:.{}f} × (1/{:.1f})</td></tr>\n", ratio,
                 ratio < 0.1 ? 4 : 2, ratio > 0 ? 1 / ratio : 0);
}

/// The table of other systems, and a plot of each beside the group.
void comparisons(Out out, const Report& report) {
  if (report.comparisons.empty()) return;
  const Comparison& first = report.comparisons[0];
  fmt::format_to(out,
                 "<h2>beside others</h2>\n<p>{} members, one sending {} B at a time, to its own "
                 "delivery in total order; in turns with the peer, as many messages each. A ratio "
                 "is lockstep's p50 over the peer's, median of the turns.</p>\n<table>\n"
                 "<tr><th>peer</th><th>what it does</th><th>lockstep over</th><th>p50</th>"
                 "<th>p99</th><th>floor p50</th><th>peer p50</th><th>peer p99</th>"
                 "<th>lockstep ÷ peer</th></tr>\n",
                 first.members, first.payload_bytes);
  for (const Comparison& one : report.comparisons) comparison_row(out, one);
  fmt::format_to(out, "</table>\n");
  for (const Comparison& one : report.comparisons) {
    const std::string title = fmt::format("{}: {}; lockstep over {}, {} turns", one.peer,
                                          one.measured, one.transport, one.turns);
    const std::string plot = plot_curves(
        title, {{"lockstep", "subject", one.group_curve}, {one.peer, "peer", one.peer_curve}});
    if (plot.empty()) continue;
    fmt::format_to(out, "<figure>\n<figcaption>{}</figcaption>\n{}</figure>\n",
                   escape_markup(title), plot);
  }
}

void plots(Out out, const Report& report) {
  for (const Result& result : report.results) {
    const std::string title = caption(result);
    const std::string plot =
        plot_curves(title, {{"to own delivery", "subject", result.latency_curve},
                            {"floor: raw round trip", "floor", result.floor_curve}});
    if (plot.empty()) continue;
    fmt::format_to(out, "<figure>\n<figcaption>{}</figcaption>\n{}</figure>\n",
                   escape_markup(title), plot);
  }
}

void notices(Out out, const Report& report) {
  std::vector<std::string> lines;
  for (const Result& result : report.results) {
    for (const std::string& notice : result.notices) {
      if (std::ranges::find(lines, notice) == lines.end()) lines.push_back(notice);
    }
  }
  if (lines.empty()) return;
  fmt::format_to(out, "<h2>notes</h2>\n<ul>\n");
  for (const std::string& line : lines) {
    fmt::format_to(out, "<li>{}</li>\n", escape_markup(line));
  }
  fmt::format_to(out, "</ul>\n");
}

void origin(Out out, const Report& report) {
  const Machine& machine = report.machine;
  fmt::format_to(out,
                 "<p><code>{}</code></p>\n<p>{}, {} CPUs ({} allowed), {}; load {:.2f}, "
                 "{:.2f}, {:.2f} over 1, 5, 15 minutes before the run; {}; commit {}, {}</p>\n",
                 escape_markup(report.command), escape_markup(machine.cpu), machine.cores,
                 machine.allowed_cpus.size(), escape_markup(machine.kernel),
                 machine.load_average[0], machine.load_average[1], machine.load_average[2],
                 escape_markup(machine.date), escape_markup(machine.commit),
                 escape_markup(machine.compiler));
}

constexpr const char* kMethod =
    "<p>The floor is the same payload in the same medium without a group, measured in turn with "
    "the "
    "group in blocks of milliseconds; a ratio is the median over pairs of neighbouring blocks, and "
    "no quotient of two figures of a row. Compare ratios of different pages, durations only within "
    "one. All figures were measured on this machine in this run.</p>\n";

}  // namespace

std::string to_page(const Report& report) {
  std::string page = kHead;
  const Out out(page);
  origin(out, report);
  page += kMethod;
  tables(out, report);
  comparisons(out, report);
  plots(out, report);
  notices(out, report);
  page += "</body>\n</html>\n";
  return page;
}

}  // namespace lockstep::bench
