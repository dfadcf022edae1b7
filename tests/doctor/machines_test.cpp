#include "tests/doctor/machines.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace lockstep::doctor {
namespace {

std::vector<Finding> findings_of(const FixtureTree& tree, const Plan& plan = {}) {
  StagedProbes probes;
  return examine(tree.tree(), probes, plan);
}

void expect_mends(const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    EXPECT_NE(finding.found, "") << finding.id;
    EXPECT_NE(finding.wanted, "") << finding.id;
    EXPECT_EQ(finding.mend.empty(), finding.severity == Severity::ok) << finding.id;
  }
}

TEST(Machines, ATunedServerHasNothingToMend) {
  FixtureTree tree;
  make_tuned_server(tree);
  const auto findings = findings_of(tree);
  expect_mends(findings);
  for (const Finding& finding : findings) {
    // Isolated CPUs have to be asked for; nothing can be done about that on the machine.
    const Severity most = finding.id == "allowed_cpus" ? Severity::note : Severity::ok;
    EXPECT_EQ(finding.severity, most) << finding.id << ": " << finding.found;
  }
}

TEST(Machines, ALaptopHasMuchToMendWorstFirst) {
  FixtureTree tree;
  make_laptop(tree);
  const auto findings = findings_of(tree);
  expect_mends(findings);
  EXPECT_TRUE(std::ranges::is_sorted(findings, std::greater(), &Finding::severity));
  for (const char* id :
       {"isolated_cpus", "cpu_governor", "idle_states", "huge_pages", "locked_memory",
        "transparent_huge_pages", "numa_balancing", "receive_buffer"}) {
    EXPECT_EQ(find(tree, id).severity, Severity::warning) << id;
  }
  EXPECT_EQ(find(tree, "hyper_threads").mend, "echo off | tee /sys/devices/system/cpu/smt/control");
  EXPECT_EQ(find(tree, "rdma_devices").mend,
            "modprobe rdma_rxe && rdma link add rxe0 type rxe netdev wlp2s0");
  EXPECT_TRUE(find(tree, "dpdk_ports").mend.contains("--bind=vfio-pci 0000:02:00.0"));
  EXPECT_EQ(find(tree, "allowed_cpus").severity, Severity::ok);
}

TEST(Machines, AContainerIsMendedOnItsHost) {
  FixtureTree tree;
  make_container(tree);
  expect_mends(findings_of(tree));
  for (const char* id : {"cpu_quota", "memory_limit", "process_limit", "huge_pages", "cpuset"}) {
    const Finding finding = find(tree, id);
    EXPECT_EQ(finding.severity, Severity::warning) << id;
    EXPECT_TRUE(finding.mend.starts_with("on the host: ")) << finding.mend;
  }
  EXPECT_EQ(find(tree, "machine").found, "container");
  EXPECT_EQ(find(tree, "cpu_quota").found, "0.50 CPUs' worth of time");
  EXPECT_EQ(find(tree, "allowed_cpus").severity, Severity::note);
  EXPECT_EQ(find(tree, "allowed_cpus", with_cores("6")).severity, Severity::error);
}

TEST(Machines, AVirtualMachineCannotChangeItsHost) {
  FixtureTree tree;
  make_laptop(tree);
  tree.write("/proc/cpuinfo", "flags\t\t: fpu constant_tsc hypervisor\n");
  for (const char* id :
       {"machine", "cpu_governor", "idle_states", "invariant_tsc", "hyper_threads"}) {
    EXPECT_TRUE(find(tree, id).mend.starts_with("on the host: ")) << id;
  }
  EXPECT_EQ(find(tree, "huge_pages").mend, "sysctl -w vm.nr_hugepages=512");
}

}  // namespace
}  // namespace lockstep::doctor
