#include "bench/page.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bench/curve_plot.hpp"
#include "bench/markup.hpp"

namespace lockstep::bench {
namespace {

Result latency_result() {
  Result result;
  result.scenario = "latency";
  result.transport = "tcp";
  result.members = 3;
  result.senders = 2;
  result.payload_bytes = 64;
  result.idle = "backoff";
  result.latency_ns = LatencySummary{100, 5'900, 7'000, 9'120, 58'000, 90'000, 1'000};
  result.floor_ns = LatencySummary{60, 130, 0, 180, 0, 0, 1'000};
  result.latency_curve = {{0, 100}, {50, 5'900}, {99.9, 58'000}};
  result.floor_curve = {{0, 60}, {50, 130}};
  result.ratio_p50 = 2.125;
  return result;
}

Report one_report() {
  Report report;
  report.machine = {"a CPU",    8,       {0, 1}, "Linux 6", {0.5, 1.25, 2}, "2026-01-02T03:04:05Z",
                    "0123abcd", "gcc 12"};
  report.command = "lockstep bench latency";
  report.results = {latency_result()};
  return report;
}

bool has(const std::string& page, const std::string& text) {
  return page.find(text) != std::string::npos;
}

/// Whether every tag is closed by the one that it was opened by, and every attribute is quoted:
/// what a strict parser asks of the page. Empty text: yes; else what is wrong.
std::string malformed(const std::string& page) {
  std::vector<std::string> open;
  for (std::size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at + 1)) {
    const std::size_t end = page.find('>', at);
    if (end == std::string::npos) return "a tag that does not end";
    const std::string tag = page.substr(at + 1, end - at - 1);
    if (tag.starts_with('!')) continue;
    if (tag.find('<') != std::string::npos) return "a tag in " + tag;
    const std::string name = tag.substr(0, tag.find_first_of(" /\n", 1));
    if (tag.starts_with('/')) {
      if (open.empty() || "/" + open.back() != tag) return tag + " closes nothing";
      open.pop_back();
    } else if (!tag.ends_with('/')) {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : open.back() + " is left open";
}

TEST(Page, ShowsTheFiguresTheirFloorAndTheirRatio) {
  const std::string page = to_page(one_report());
  for (const char* text : {"5.90 µs", "9.12 µs", "130 ns", "2.12 ×", "tcp", "a CPU", "0123abcd",
                           "Linux 6", "load 0.50, 1.25, 2.00", "lockstep bench latency"}) {
    EXPECT_TRUE(has(page, text)) << text << " in\n" << page;
  }
}

TEST(Page, IsWellFormedAndNeedsNothingElse) {
  Report report = one_report();
  for (const char* scenario : {"throughput", "failover", "idle", "floor"}) {
    report.results.push_back(latency_result());
    report.results.back().scenario = scenario;
  }
  const std::string page = to_page(report);
  EXPECT_EQ(malformed(page), "");
  for (const char* word :
       {"http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link"}) {
    EXPECT_FALSE(has(page, word)) << word;
  }
}

TEST(Page, TheCheckOfFormSeesWhatIsWrong) {
  EXPECT_NE(malformed("<p>text"), "");
  EXPECT_NE(malformed("<p><b>text</p></b>"), "");
  EXPECT_NE(malformed("<p>1 < 2</p>"), "");
}

TEST(Page, EscapesEveryTextFromOutside) {
  const std::string evil = "<script>\"'&";
  Report report = one_report();
  report.command = evil;
  report.machine.cpu = report.machine.kernel = report.machine.commit = evil;
  report.machine.compiler = report.machine.date = evil;
  Result& result = report.results[0];
  result.scenario = result.transport = result.ordering = result.idle = result.as = evil;
  result.notices = {evil};
  report.results.push_back(result);
  report.results.back().not_run = evil;
  const std::string page = to_page(report);
  EXPECT_FALSE(has(page, "<script>"));
  EXPECT_TRUE(has(page, "&lt;script&gt;&quot;&#39;&amp;"));
  EXPECT_EQ(malformed(page), "");
}

TEST(Page, WhatCouldNotRunIsNamedWithItsReason) {
  Report report = one_report();
  report.results.push_back(latency_result());
  report.results.back().transport = "verbs";
  report.results.back().not_run = "no RDMA device";
  EXPECT_TRUE(has(to_page(report), "not run: no RDMA device"));
  report.results.back().failed = true;
  EXPECT_TRUE(has(to_page(report), "failed: no RDMA device"));
}

TEST(Plot, PlacesEachTenthOfTheTailEquallyFar) {
  const std::string plot =
      plot_curves("title", {{"line", "subject", {{0, 100}, {90, 1'000}, {99, 10'000}}}});
  // From 70 to 620, and from 248 up to 12.
  EXPECT_TRUE(has(plot, "points=\"70.0,248.0 345.0,130.0 620.0,12.0 \"")) << plot;
  EXPECT_TRUE(has(plot, "99 %"));
  EXPECT_TRUE(has(plot, "10.0 µs"));
}

TEST(Plot, OfNothingIsNothing) {
  EXPECT_EQ(plot_curves("title", {}), "");
  EXPECT_EQ(plot_curves("title", {{"line", "subject", {}}}), "");
  EXPECT_NE(plot_curves("title", {{"zero", "floor", {{0, 0}}}}), "");
}

TEST(Curve, GoesAsFarIntoTheTailAsItsCountCarries) {
  launch::Histogram histogram;
  EXPECT_TRUE(curve(histogram).empty());
  for (std::uint64_t ns = 1; ns <= 1'000; ++ns) histogram.record(ns);
  const std::vector<CurvePoint> points = curve(histogram);
  EXPECT_EQ(points.front(), (CurvePoint{0, 1}));
  EXPECT_EQ(points.back().percent, 99.9);
}

TEST(DurationWords, HaveThreeDigitsAndAUnit) {
  EXPECT_EQ(duration_words(0), "0 ns");
  EXPECT_EQ(duration_words(999), "999 ns");
  EXPECT_EQ(duration_words(1'000), "1.00 µs");
  EXPECT_EQ(duration_words(12'345), "12.3 µs");
  EXPECT_EQ(duration_words(123'456), "123 µs");
  EXPECT_EQ(duration_words(7.5e6), "7.50 ms");
  EXPECT_EQ(duration_words(1e10), "10.0 s");
}

}  // namespace
}  // namespace lockstep::bench
