#include "bench/suite.hpp"

#include <gtest/gtest.h>

#include "bench/report.hpp"

namespace lockstep::bench {
namespace {

TEST(SuiteCells, AreEveryCombinationInOrder) {
  SuiteOptions suite;
  suite.transports = {"shm", "tcp"};
  suite.members = {2, 3};
  suite.payload_bytes = {64, 1'024, 4'096};
  suite.seconds = 0.5;
  const auto cells = suite_cells(suite);
  ASSERT_TRUE(cells.has_value()) << cells.error().message;
  ASSERT_EQ(cells->size(), 24U);
  EXPECT_EQ(cells->front().scenario, Scenario::latency);
  EXPECT_EQ(cells->front().transport, "shm");
  EXPECT_EQ(cells->front().members, 2U);
  EXPECT_EQ(cells->front().payload_bytes, 64U);
  EXPECT_EQ(cells->back().scenario, Scenario::throughput);
  EXPECT_EQ(cells->back().transport, "tcp");
  EXPECT_EQ(cells->back().members, 3U);
  EXPECT_EQ(cells->back().payload_bytes, 4'096U);
  for (const Options& cell : *cells) EXPECT_EQ(cell.seconds, 0.5);
}

TEST(SuiteCells, RefusesWhatNoCellCouldBeAndNamesTheOption) {
  const auto refused = [](const SuiteOptions& suite) {
    const auto cells = suite_cells(suite);
    if (cells) return std::string();
    EXPECT_EQ(cells.error().code, ErrorCode::invalid_argument);
    return cells.error().message;
  };
  SuiteOptions suite;
  suite.members = {2, 1};
  EXPECT_NE(refused(suite).find("--members 1"), std::string::npos);
  suite.members = {};
  EXPECT_NE(refused(suite).find("--members"), std::string::npos);
  suite.members.assign(2'000, 2);
  EXPECT_NE(refused(suite).find("1000 cells"), std::string::npos) << refused(suite);
}

TEST(Line, NamesWhatDidNotRunAndWhy) {
  Result result;
  result.scenario = "latency";
  result.transport = "verbs";
  result.not_run = "no RDMA device";
  EXPECT_NE(to_line(result).find("not run: no RDMA device"), std::string::npos);
  EXPECT_FALSE(has_failure({{}, {}, {result}}));
  result.failed = true;
  EXPECT_NE(to_line(result).find("failed: no RDMA device"), std::string::npos);
  EXPECT_TRUE(has_failure({{}, {}, {result}}));
}

TEST(Line, HasFigureFloorAndRatio) {
  Result result;
  result.scenario = "latency";
  result.latency_ns = LatencySummary{1, 5'900, 0, 9'120, 0, 0, 0};
  result.floor_ns = LatencySummary{1, 130, 0, 0, 0, 0, 0};
  result.ratio_p50 = 2.125;
  for (const char* text : {"5.90 µs", "9.12 µs", "130 ns", "2.12"}) {
    EXPECT_NE(to_line(result).find(text), std::string::npos) << to_line(result);
  }
}

}  // namespace
}  // namespace lockstep::bench
