#include "bench/suite.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bench/bench.hpp"
#include "bench/machine.hpp"

namespace lockstep::bench {
namespace {

constexpr std::size_t kMostCells = 1'000;

/// Errors: invalid_argument, naming a list that is empty, or all of them.
Expected<void> check_lists(const SuiteOptions& suite) {
  std::size_t cells = 1;
  for (const auto& [option, count] : {std::pair("--scenarios", suite.scenarios.size()),
                                      std::pair("--transports", suite.transports.size()),
                                      std::pair("--members", suite.members.size()),
                                      std::pair("--payload-bytes", suite.payload_bytes.size())}) {
    if (count == 0) {
      return fail(ErrorCode::invalid_argument, fmt::format("{}: the list is empty", option));
    }
    cells *= std::min(count, kMostCells + 1);
    if (cells <= kMostCells) continue;
    return fail(ErrorCode::invalid_argument,
                fmt::format("--scenarios, --transports, --members and --payload-bytes make more "
                            "than {} cells; shorten one of the lists",
                            kMostCells));
  }
  return {};
}

}  // namespace

Expected<std::vector<Options>> suite_cells(const SuiteOptions& suite) {
  if (auto checked = check_lists(suite); !checked) return std::unexpected(checked.error());
  std::vector<Options> cells;
  Options cell;
  cell.seconds = suite.seconds;
  cell.idle = suite.idle;
  for (const Scenario scenario : suite.scenarios) {
    for (const std::string& transport : suite.transports) {
      for (const std::uint32_t members : suite.members) {
        for (const std::uint64_t payload_bytes : suite.payload_bytes) {
          cell.scenario = scenario;
          cell.transport = transport;
          cell.members = members;
          cell.payload_bytes = payload_bytes;
          const auto plan = make_plan(cell, find_cpus());
          if (!plan && plan.error().code == ErrorCode::invalid_argument) {
            return std::unexpected(plan.error());
          }
          cells.push_back(cell);
        }
      }
    }
  }
  return cells;
}

Expected<Report> run_suite(const SuiteOptions& suite,
                           const std::function<void(const Result&)>& told) {
  const auto cells = suite_cells(suite);
  if (!cells) return std::unexpected(cells.error());
  Report report{.machine = describe_machine(), .command = {}, .results = {}};
  for (const Options& cell : *cells) {
    auto result = measure(cell);
    report.results.push_back(result ? std::move(*result) : unmeasured(cell, result.error()));
    told(report.results.back());
  }
  return report;
}

bool has_failure(const Report& report) {
  return std::ranges::any_of(report.results, &Result::failed);
}

}  // namespace lockstep::bench
