#include "bench/report.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "bench/machine.hpp"

namespace lockstep::bench {
namespace {

LatencySummary summary(std::uint64_t base) {
  return {base, base + 1, base + 2, base + 3, base + 4, base + 5, base + 6};
}

/// The floor's JSON has no p90, p999 and max.
LatencySummary floor_summary() {
  return {.min = 1, .p50 = 2, .p90 = 0, .p99 = 3, .p999 = 0, .max = 0, .count = 4};
}

Report full_report() {
  Report report;
  report.machine = {"a \"fast\" CPU",       8,          {0, 1, 5}, "Linux 6", {0.5, 1.25, 2},
                    "2026-01-02T03:04:05Z", "0123abcd", "gcc 12"};
  Result result;
  result.scenario = "latency";
  result.transport = "shm";
  result.ordering = "round_robin";
  result.members = 3;
  result.senders = 2;
  result.payload_bytes = 64;
  result.idle = "spin";
  result.latency_ns = summary(100);
  result.latency_last_ns = summary(200);
  result.floor_ns = floor_summary();
  result.latency_curve = {{0, 100}, {99.9, 5'000}};
  result.floor_curve = {{50, 7}};
  result.ratio_p50 = 2.125;
  result.messages_per_s = 1.5e6;
  result.bytes_per_s = 9.6e7;
  result.floor_messages_per_s = 3e6;
  result.floor_bytes_per_s = 1.92e8;
  result.ratio_throughput = 0.5;
  result.blackout_ns = LatencySummary{1, 2, 3, 4, 5, 6, 7};
  result.change_ns = LatencySummary{2, 3, 4, 5, 6, 7, 8};
  result.false_evictions = 0;
  result.runs = 7;
  result.result_hash = "00000000deadbeef";
  result.ranks = {{0, summary(300), 2.0, 0.25}, {1, summary(400), 2.5, std::nullopt}};
  result.loss_percent = 1;
  result.ratio_p99_loss = 3.5;
  result.encrypted = true;
  result.ratio_p50_encryption = 1.25;
  result.rate = 1000;
  result.seconds = 2;
  result.as = "threads";
  result.cores = {0, 1, 5};
  result.ring_bytes = 1 << 20;
  result.blocks = 321;
  result.notices = {"rank 0: no huge pages"};
  report.command = "lockstep bench";
  report.results = {result, Result{}};
  report.comparisons = {{.peer = "corosync",
                         .version = "3.1.7",
                         .measured = "agreed order",
                         .medium = "udp",
                         .transport = "tcp",
                         .members = 3,
                         .payload_bytes = 64,
                         .group_ns = summary(500),
                         .floor_ns = floor_summary(),
                         .peer_ns = summary(600),
                         .group_curve = {{0, 500}},
                         .peer_curve = {{50, 601}},
                         .ratio_p50 = 0.25,
                         .turns = 5,
                         .not_run = "no daemon"},
                        Comparison{}};
  report.results[1].not_run = "no such device";
  report.results[1].failed = true;
  return report;
}

TEST(Json, ReadsBackWhatItWrote) {
  const Report report = full_report();
  const auto again = from_json(to_json(report));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(*again, report);
}

// docs/bench.md promises these names to programs.
TEST(Json, HasTheDocumentedFields) {
  const auto json = nlohmann::json::parse(to_json(full_report()));
  const auto& result = json.at("results").at(0);
  for (const char* key : {"scenario",
                          "transport",
                          "ordering",
                          "members",
                          "senders",
                          "payload_bytes",
                          "idle",
                          "latency_ns",
                          "floor_ns",
                          "ratio_p50",
                          "messages_per_s",
                          "bytes_per_s",
                          "floor_messages_per_s",
                          "floor_bytes_per_s",
                          "ratio_throughput",
                          "blackout_ns",
                          "change_ns",
                          "false_evictions",
                          "runs",
                          "result_hash"}) {
    EXPECT_TRUE(result.contains(key)) << key;
  }
  for (const char* key : {"min", "p50", "p90", "p99", "p999", "max", "count"}) {
    EXPECT_TRUE(result.at("latency_ns").contains(key)) << key;
  }
  for (const char* key : {"min", "p50", "p99"}) {
    EXPECT_TRUE(result.at("floor_ns").contains(key)) << key;
  }
  for (const char* key :
       {"cpu", "cores", "allowed_cpus", "kernel", "load_average", "date", "commit", "compiler"}) {
    EXPECT_TRUE(json.at("machine").contains(key)) << key;
  }
  EXPECT_EQ(result.at("result_hash"), "00000000deadbeef");
}

TEST(Json, WritesNullForWhatWasNotMeasured) {
  const auto json = nlohmann::json::parse(to_json(full_report()));
  EXPECT_TRUE(json.at("results").at(1).at("latency_ns").is_null());
  EXPECT_TRUE(json.at("results").at(1).at("ratio_throughput").is_null());
}

TEST(Json, RefusesWhatIsNoReportAndSaysWhy) {
  const std::string good = to_json(full_report());
  std::string missing = good;
  missing.replace(missing.find("\"senders\""), 9, "\"sanders\"");
  for (const std::string& text : {std::string("{"), std::string("[]"), std::string(), missing}) {
    const auto report = from_json(text);
    ASSERT_FALSE(report.has_value());
    EXPECT_EQ(report.error().code, ErrorCode::input);
    EXPECT_GT(report.error().message.size(), 40U);
  }
  EXPECT_NE(from_json(missing).error().message.find("senders"), std::string::npos);
}

TEST(Table, ShowsTheFiguresThatMatter) {
  const std::string table = to_table(full_report());
  for (const char* text : {"2.12", "00000000deadbeef", "worst rank 1 p50 401", "no huge pages"}) {
    EXPECT_NE(table.find(text), std::string::npos) << text << " in\n" << table;
  }
}

TEST(Machine, IsDescribed) {
  const Machine machine = describe_machine();
  EXPECT_GE(machine.cores, 1U);
  EXPECT_FALSE(machine.allowed_cpus.empty());
  EXPECT_EQ(machine.date.size(), 20U);
  EXPECT_FALSE(machine.commit.empty());
}

}  // namespace
}  // namespace lockstep::bench
