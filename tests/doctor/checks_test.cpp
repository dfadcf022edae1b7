#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>

#include "tests/doctor/machines.hpp"

namespace lockstep::doctor {
namespace {

/// One thing made wrong on the tuned server, and what the check says of it. The other half of each
/// case is that the same check is content before.
struct Fault {
  const char* id;
  std::function<void(FixtureTree&)> make;
  Severity severity;
  const char* found;  ///< a part of it
  const char* mend;   ///< a part of it
  const char* cores = "";
  const char* name = id;
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

std::function<void(FixtureTree&)> writing(std::string path, std::string text) {
  return [path, text](FixtureTree& tree) { tree.write(path, text); };
}

std::function<void(FixtureTree&)> removing(std::string path) {
  return [path](FixtureTree& tree) { tree.remove(path); };
}

const std::string kCpus = "/sys/devices/system/cpu/";
const std::string kPort = "/sys/class/infiniband/mlx5_0/ports/1/";

const Fault kFaults[] = {
    {"machine", writing("/proc/cpuinfo", "flags\t: constant_tsc nonstop_tsc hypervisor\n"),
     Severity::note, "virtual machine", "on the host: virsh vcpupin"},
    {"isolated_cpus", writing(kCpus + "isolated", "\n"), Severity::warning, "none",
     "isolcpus=managed_irq,domain,5 nohz_full=5 rcu_nocbs=5"},
    {"nohz_full", writing(kCpus + "nohz_full", "6\n"), Severity::note, "CPUs 6", "nohz_full=6-7"},
    {"nohz_full", removing(kCpus + "nohz_full"), Severity::note, "always ticks",
     "CONFIG_NO_HZ_FULL=y", "", "nohz_full_absent"},
    {"hyper_threads", writing(kCpus + "cpu6/topology/thread_siblings_list", "6-7\n"),
     Severity::warning, "cores 7 are siblings", "lscpu"},
    {"hyper_threads", writing(kCpus + "cpu6/topology/thread_siblings_list", "2,6\n"),
     Severity::note, "2 share", "echo 0 | tee /sys/devices/system/cpu/cpu2/online", "",
     "hyper_threads_idle"},
    {"irq_affinity", writing("/proc/irq/25/smp_affinity_list", "0-7\n"), Severity::warning,
     "1 may come to 6-7", "do echo 0-5 > $i/smp_affinity_list"},
    {"irq_affinity", writing(kCpus + "isolated", "\n"), Severity::note, "unknown",
     "lockstep doctor --cores", "", "irq_affinity_without_cores"},
    {"cpu_governor", writing(kCpus + "cpu7/cpufreq/scaling_governor", "powersave\n"),
     Severity::warning, "performance, powersave",
     "echo performance | tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"},
    {"idle_states", writing(kCpus + "cpu6/cpuidle/state3/disable", "0\n"), Severity::warning,
     "C6 (133 us)", "echo 1 | tee /sys/devices/system/cpu/cpu*/cpuidle/state3/disable"},
    {"clock_source",
     writing("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n"),
     Severity::warning, "hpet", "echo tsc > /sys/devices/system/clocksource/"},
    {"invariant_tsc", writing("/proc/cpuinfo", "flags\t\t: fpu tsc constant_tsc\n"),
     Severity::warning, "stops", "processor.max_cstate=1"},
    {"mitigations", writing("/proc/cmdline", "quiet\n"), Severity::note, "on", "mitigations=off "},
    {"huge_pages", writing("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "63\n"),
     Severity::warning, "63 of 512 free of 2 MiB", "sysctl -w vm.nr_hugepages=512"},
    {"huge_pages", removing("/sys/kernel/mm/hugepages"), Severity::warning, "has none",
     "CONFIG_HUGETLBFS", "", "huge_pages_absent"},
    {"locked_memory", writing("/proc/self/limits", "Max locked memory  8388608  8388608  bytes\n"),
     Severity::warning, "8192 KiB", "LimitMEMLOCK=infinity"},
    {"transparent_huge_pages",
     writing("/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n"),
     Severity::warning, "always", "echo never > /sys/kernel/mm/transparent_hugepage/enabled"},
    {"numa_balancing", writing("/proc/sys/kernel/numa_balancing", "1\n"), Severity::warning,
     "on (1)", "sysctl -w kernel.numa_balancing=0"},
    {"nic_numa", writing("/sys/class/net/eth0/device/numa_node", "0\n"), Severity::warning,
     "eth0 on node 0; the reactors' 6-7 on node 1", "one of 0-3"},
    {"receive_buffer", writing("/proc/sys/net/core/rmem_max", "212992\n"), Severity::warning,
     "212992 bytes", "sysctl -w net.core.rmem_max=4849664"},
    {"send_buffer", writing("/proc/sys/net/core/wmem_max", "4194304\n"), Severity::note,
     "4194304 bytes", "sysctl -w net.core.wmem_max=4849664"},
    {"cpu_quota", writing("/sys/fs/cgroup/user.slice/cpu.max", "150000 100000\n"),
     Severity::warning, "1.50 CPUs", "docker update --cpu-quota=-1"},
    {"cpuset", writing("/sys/fs/cgroup/user.slice/lockstep.service/cpuset.cpus.effective", "2\n"),
     Severity::warning, "2 of 0-7", "AllowedCPUs=0-7"},
    {"memory_limit", writing("/sys/fs/cgroup/user.slice/memory.max", "268435456\n"),
     Severity::warning, "256 MiB", "MemoryMax=2G"},
    {"process_limit", writing("/sys/fs/cgroup/user.slice/lockstep.service/pids.max", "20\n"),
     Severity::warning, "20 threads", "TasksMax=1024"},
    {"rdma_devices", writing(kPort + "state", "1: DOWN\n"), Severity::warning, "1: DOWN",
     "ip link set roce0 up"},
    {"rdma_devices", removing("/sys/class/infiniband"), Severity::note, "none",
     "modprobe rdma_rxe && rdma link add rxe0 type rxe netdev eth0", "", "rdma_devices_absent"},
    {"rdma_gids", writing(kPort + "gids/1", "0000:0000:0000:0000:0000:0000:0000:0000\n"),
     Severity::warning, "mlx5_0/1 has 0", "ip addr add ADDRESS/24 dev roce0"},
    {"dpdk_ports", removing("/sys/bus/pci/drivers/vfio-pci/0000:3b:00.1"), Severity::note,
     "none is bound", "dpdk-devbind.py --bind=vfio-pci"},
    {"io_uring", writing("/proc/sys/kernel/io_uring_disabled", "2\n"), Severity::note,
     "io_uring_disabled = 2", "sysctl -w kernel.io_uring_disabled=0"},
};

class EachCheck : public ::testing::TestWithParam<Fault> {};

TEST_P(EachCheck, IsContentWithATunedServerAndSeesTheFault) {
  const Fault& fault = GetParam();
  FixtureTree tree;
  make_tuned_server(tree);
  EXPECT_EQ(find(tree, fault.id).severity, Severity::ok) << find(tree, fault.id).found;
  EXPECT_EQ(find(tree, fault.id).mend, "");
  fault.make(tree);
  const Finding finding = find(tree, fault.id, with_cores(fault.cores));
  EXPECT_EQ(finding.severity, fault.severity) << finding.found;
  EXPECT_TRUE(finding.found.contains(fault.found)) << finding.found;
  EXPECT_TRUE(finding.mend.contains(fault.mend)) << finding.mend;
}

INSTANTIATE_TEST_SUITE_P(Faults, EachCheck, ::testing::ValuesIn(kFaults),
                         [](const auto& fault) { return std::string(fault.param.name); });

TEST(AllowedCpus, ReactorsNeedCpusThatTheyMayUse) {
  FixtureTree tree;
  make_tuned_server(tree);
  EXPECT_EQ(find(tree, "allowed_cpus", with_cores("1-2")).severity, Severity::ok);
  const Finding isolated = find(tree, "allowed_cpus");
  EXPECT_EQ(isolated.severity, Severity::note);
  EXPECT_EQ(isolated.mend, "taskset -c 0-5,6-7 COMMAND");
  EXPECT_EQ(find(tree, "allowed_cpus", with_cores("6")).severity, Severity::error);
  const Finding nowhere = find(tree, "allowed_cpus", with_cores("5,9"));
  EXPECT_EQ(nowhere.severity, Severity::error);
  EXPECT_TRUE(nowhere.found.contains("not 9")) << nowhere.found;
  tree.write(kCpus + "isolated", "\n");
  EXPECT_EQ(find(tree, "allowed_cpus", {.cores = {}, .reactors = 5}).severity, Severity::ok);
  EXPECT_EQ(find(tree, "allowed_cpus", {.cores = {}, .reactors = 6}).severity, Severity::note);
  EXPECT_EQ(find(tree, "allowed_cpus", {.cores = {}, .reactors = 7}).severity, Severity::warning);
}

TEST(IsolatedCpus, ThePlannedCoresAreWhatCounts) {
  FixtureTree tree;
  make_tuned_server(tree);
  EXPECT_EQ(find(tree, "isolated_cpus", with_cores("7")).severity, Severity::ok);
  const Finding finding = find(tree, "isolated_cpus", with_cores("5,7"));
  EXPECT_TRUE(finding.found.contains("the reactors' 5 are not")) << finding.found;
}

TEST(HyperThreads, PlannedCoresOfOnePhysicalCoreAreToldBoth) {
  FixtureTree tree;
  make_laptop(tree);
  EXPECT_EQ(find(tree, "hyper_threads", with_cores("2-3")).found,
            "the reactors' cores 2-3 are siblings");
  const Finding apart = find(tree, "hyper_threads", with_cores("1,3"));
  EXPECT_EQ(apart.found, "0,2 share the reactors' cores 1,3");
  EXPECT_EQ(apart.mend,
            "echo 0 | tee /sys/devices/system/cpu/cpu0/online /sys/devices/system/cpu/cpu2/online");
}

TEST(NicNuma, SaysSoWhereTheReactorsAreNotKnown) {
  FixtureTree tree;
  make_tuned_server(tree);
  EXPECT_EQ(find(tree, "nic_numa", with_cores("0")).severity, Severity::warning);
  EXPECT_EQ(find(tree, "nic_numa", with_cores("3-4")).severity, Severity::warning);
  tree.write(kCpus + "isolated", "\n");
  EXPECT_EQ(find(tree, "nic_numa").severity, Severity::note);
}

TEST(Capabilities, LiftLimits) {
  FixtureTree tree;
  make_laptop(tree);
  tree.write("/proc/self/status", "CapEff:\t000001ffffffffff\nCpus_allowed_list:\t0-3\n");
  EXPECT_EQ(find(tree, "locked_memory").severity, Severity::ok);
  EXPECT_EQ(find(tree, "receive_buffer").severity, Severity::ok);
}

TEST(Limits, OfVersion1AreRead) {
  FixtureTree tree;
  make_tuned_server(tree);
  tree.write("/proc/self/cgroup", "4:cpu,cpuacct:/a/b\n3:memory:/a\n2:pids:/\n0::/\n");
  const std::string cpu = "/sys/fs/cgroup/cpu,cpuacct/a/b/";
  tree.write(cpu + "cpu.cfs_quota_us", "-1\n");
  tree.write(cpu + "cpu.cfs_period_us", "100000\n");
  tree.write("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n");
  tree.write("/sys/fs/cgroup/pids/pids.max", "max\n");
  EXPECT_EQ(find(tree, "cpu_quota").severity, Severity::ok);
  EXPECT_EQ(find(tree, "memory_limit").found, "no limit");
  EXPECT_EQ(find(tree, "process_limit").found, "no limit");
  tree.write(cpu + "cpu.cfs_quota_us", "20000\n");
  tree.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1048576\n");
  EXPECT_EQ(find(tree, "cpu_quota").found, "0.20 CPUs' worth of time");
  EXPECT_EQ(find(tree, "memory_limit").found, "1 MiB");
}

TEST(CommandLine, IsToldWithoutGrubWhereThereIsNone) {
  FixtureTree tree;
  make_laptop(tree);
  EXPECT_TRUE(find(tree, "mitigations").mend.contains("update-grub"));
  tree.remove("/etc/default/grub");
  EXPECT_EQ(find(tree, "mitigations").mend,
            "boot with 'mitigations=off' on the kernel's command line");
}

}  // namespace
}  // namespace lockstep::doctor
