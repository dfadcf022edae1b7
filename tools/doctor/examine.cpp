#include "tools/doctor/examine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tools/doctor/checks.hpp"
#include "tools/doctor/transport_checks.hpp"

namespace lockstep::doctor {
namespace {

using Check = Finding (*)(const Tree&, const Machine&);
using TryingCheck = Finding (*)(const Tree&, const Machine&, Probes&);

constexpr Check kChecks[] = {
    check_machine,        check_allowed_cpus,
    check_isolated_cpus,  check_nohz_full,
    check_hyper_threads,  check_irq_affinity,
    check_cpu_governor,   check_idle_states,
    check_clock_source,   check_invariant_tsc,
    check_mitigations,    check_huge_pages,
    check_locked_memory,  check_transparent_huge_pages,
    check_numa_balancing, check_nic_numa,
    check_receive_buffer, check_send_buffer,
    check_cpu_quota,      check_cpuset,
    check_memory_limit,   check_process_limit,
    check_rdma_devices,   check_rdma_gids,
    check_dpdk_ports,
};
constexpr TryingCheck kTryingChecks[] = {check_io_uring, check_dpdk_plugin};

void keep_related(std::vector<Finding>& findings, const std::string& transport) {
  const auto related = related_to(transport);
  std::erase_if(findings, [&](const Finding& finding) {
    return std::ranges::find(related, finding.id) == related.end();
  });
}

std::vector<Finding> worst_first(std::vector<Finding> findings) {
  std::vector<Finding> sorted;
  for (const Severity severity :
       {Severity::error, Severity::warning, Severity::note, Severity::ok}) {
    for (Finding& finding : findings) {
      if (finding.severity == severity) sorted.push_back(std::move(finding));
    }
  }
  return sorted;
}

}  // namespace

std::vector<Finding> examine(const Tree& tree, Probes& probes, const Plan& plan,
                             const std::string& transport) {
  const Machine machine = read_machine(tree, plan);
  std::vector<Finding> findings;
  for (const Check check : kChecks) findings.push_back(check(tree, machine));
  for (const TryingCheck check : kTryingChecks) findings.push_back(check(tree, machine, probes));
  if (!transport.empty()) keep_related(findings, transport);
  for (const std::string_view name : kTransports) {
    if (!transport.empty() && name != transport) continue;
    findings.push_back(check_transport(tree, machine, probes, name, !transport.empty()));
  }
  return worst_first(std::move(findings));
}

}  // namespace lockstep::doctor
