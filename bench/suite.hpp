#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/options.hpp"
#include "bench/result.hpp"
#include "lockstep/error.hpp"

namespace lockstep::bench {

/// A table of runs: every scenario with every transport, every number of members and every size.
/// With these defaults it takes a minute on two CPUs without an RDMA device.
struct SuiteOptions {
  std::vector<Scenario> scenarios{Scenario::latency, Scenario::throughput};
  std::vector<std::string> transports{"shm", "tcp", "udp", "dpdk", "verbs"};
  std::vector<std::uint32_t> members{2, 3};
  std::vector<std::uint64_t> payload_bytes{64, 1'024, 10'240};
  double seconds = 1;  ///< of each cell
  IdlePolicy idle = IdlePolicy::automatic;
};

/// The cells in the order in which they run. Errors: invalid_argument (an empty list, more than
/// 1 000 cells, a cell that would be refused by itself), naming the option.
Expected<std::vector<Options>> suite_cells(const SuiteOptions& suite);

/// Runs the cells one after the other; each alternates with its floor by itself. A cell that cannot
/// run here, or fails, is a result that says so, and the next one follows. `told` is called with
/// each result as soon as it is there. As run() otherwise. Errors: those of suite_cells.
Expected<Report> run_suite(const SuiteOptions& suite,
                           const std::function<void(const Result&)>& told);

/// Whether a group failed in one of the results: not whether all could run.
bool has_failure(const Report& report);

}  // namespace lockstep::bench
