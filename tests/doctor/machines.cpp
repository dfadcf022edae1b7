#include "tests/doctor/machines.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep::doctor {
namespace {

const std::string kCpus = "/sys/devices/system/cpu/";

void make_cpu(FixtureTree& tree, unsigned cpu, std::string_view siblings, std::string_view governor,
              std::string_view deep_disabled) {
  const std::string folder = fmt::format("{}cpu{}/", kCpus, cpu);
  tree.write(folder + "topology/thread_siblings_list", siblings);
  tree.write(folder + "cpufreq/scaling_governor", governor);
  tree.write(folder + "cpuidle/state0/name", "POLL\n");
  tree.write(folder + "cpuidle/state0/latency", "0\n");
  tree.write(folder + "cpuidle/state0/disable", "0\n");
  tree.write(folder + "cpuidle/state3/name", "C6\n");
  tree.write(folder + "cpuidle/state3/latency", "133\n");
  tree.write(folder + "cpuidle/state3/disable", deep_disabled);
}

void make_settings(FixtureTree& tree) {
  tree.write("/proc/modules", "mlx5_core 1 0 - Live 0x0\n");
  tree.write("/proc/cmdline", "root=/dev/sda1 mitigations=off\n");
  tree.write("/proc/sys/kernel/numa_balancing", "0\n");
  tree.write("/proc/sys/kernel/io_uring_disabled", "0\n");
  tree.write("/proc/sys/net/core/rmem_max", "16777216\n");
  tree.write("/proc/sys/net/core/wmem_max", "16777216\n");
  tree.write("/etc/default/grub", "GRUB_CMDLINE_LINUX=\"\"\n");
  const std::string clocks = "/sys/devices/system/clocksource/clocksource0/";
  tree.write(clocks + "current_clocksource", "tsc\n");
  tree.write(clocks + "available_clocksource", "tsc hpet acpi_pm\n");
  tree.write("/sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
  tree.write("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "512\n");
  tree.write("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "512\n");
  tree.write("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "0\n");
  tree.write("/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "0\n");
}

void make_process(FixtureTree& tree, std::string_view cpus, std::string_view locked) {
  tree.write("/proc/self/status", fmt::format("Name:\tdoctor\nCapEff:\t0000000000000000\n"
                                              "Cpus_allowed_list:\t{}\n",
                                              cpus));
  tree.write(
      "/proc/self/limits",
      fmt::format("Limit                     Soft Limit           Hard Limit           Units\n"
                  "Max locked memory         {:<20} {:<20} bytes\n",
                  locked, locked));
  tree.write("/proc/self/cgroup", "0::/user.slice/lockstep.service\n");
  tree.write("/proc/self/mountinfo", "23 1 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n");
  tree.write("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu tsc constant_tsc nonstop_tsc\n");
}

}  // namespace

void make_tuned_server(FixtureTree& tree) {
  make_settings(tree);
  // Whoever boots with isolcpus=6-7 finds them in nobody's affinity, and in every cpuset.
  make_process(tree, "0-5", "unlimited");
  tree.write("/sys/fs/cgroup/cpuset.cpus.effective", "0-7\n");
  for (unsigned cpu = 0; cpu < 8; ++cpu) {
    make_cpu(tree, cpu, fmt::format("{}\n", cpu), "performance\n", "1\n");
  }
  tree.write(kCpus + "online", "0-7\n");
  tree.write(kCpus + "isolated", "6-7\n");
  tree.write(kCpus + "nohz_full", "6-7\n");
  tree.write("/sys/devices/system/node/node0/cpulist", "0-3\n");
  tree.write("/sys/devices/system/node/node1/cpulist", "4-7\n");
  tree.write("/proc/irq/24/smp_affinity_list", "0-5\n");
  tree.write("/proc/irq/24/effective_affinity_list", "0\n");
  tree.write("/proc/irq/25/smp_affinity_list", "0-5\n");
  tree.write("/sys/class/net/eth0/device/numa_node", "1\n");
  tree.write("/sys/class/net/lo/mtu", "65536\n");
  const std::string port = "/sys/class/infiniband/mlx5_0/ports/1/";
  tree.write(port + "state", "4: ACTIVE\n");
  tree.write(port + "link_layer", "Ethernet\n");
  tree.write("/sys/class/net/roce0/mtu", "4200\n");
  tree.write(port + "gid_attrs/ndevs/0", "roce0\n");
  tree.write(port + "gid_attrs/types/0", "IB/RoCE v1\n");
  tree.write(port + "gid_attrs/types/1", "RoCE v2\n");
  tree.write(port + "gids/0", "fe80:0000:0000:0000:0202:c9ff:fe00:0001\n");
  tree.write(port + "gids/1", "0000:0000:0000:0000:0000:ffff:0a00:0001\n");
  tree.write("/sys/bus/pci/drivers/vfio-pci/0000:3b:00.1/vendor", "0x15b3\n");
}

void make_laptop(FixtureTree& tree) {
  make_settings(tree);
  make_process(tree, "0-3", "8388608");
  for (unsigned cpu = 0; cpu < 4; ++cpu) {
    make_cpu(
        tree, cpu,
        cpu % 2 == 0 ? fmt::format("{}-{}\n", cpu, cpu + 1) : fmt::format("{}-{}\n", cpu - 1, cpu),
        "powersave\n", "0\n");
  }
  tree.write("/proc/cmdline", "root=/dev/nvme0n1p2 quiet splash\n");
  tree.write("/proc/sys/kernel/numa_balancing", "1\n");
  tree.write("/proc/sys/net/core/rmem_max", "212992\n");
  tree.write("/proc/sys/net/core/wmem_max", "2000000\n");
  tree.write("/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n");
  tree.write("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
  tree.write("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "0\n");
  tree.write(kCpus + "online", "0-3\n");
  tree.write(kCpus + "isolated", "\n");
  tree.write(kCpus + "nohz_full", "(null)\n");
  tree.write("/sys/devices/system/node/node0/cpulist", "0-3\n");
  tree.write("/proc/irq/130/smp_affinity_list", "0-3\n");
  tree.write("/sys/class/net/wlp2s0/mtu", "1500\n");
  tree.link("/sys/class/net/wlp2s0/device", "../../../devices/0000:02:00.0");
  tree.write("/sys/devices/0000:02:00.0/numa_node", "-1\n");
}

void make_container(FixtureTree& tree) {
  make_tuned_server(tree);
  tree.write("/.dockerenv", "");
  tree.write("/proc/self/cgroup", "0::/\n");
  tree.write("/proc/self/mountinfo",
             "23 1 0:20 / /sys ro,nosuid - sysfs sysfs ro\n"
             "24 1 0:21 /sys /proc/sys ro,nosuid - proc proc rw\n");
  tree.write("/sys/fs/cgroup/cpuset.cpus.effective", "3\n");
  tree.write("/sys/fs/cgroup/cpu.max", "50000 100000\n");
  tree.write("/sys/fs/cgroup/memory.max", "268435456\n");
  tree.write("/sys/fs/cgroup/pids.max", "100\n");
  tree.write("/proc/self/status", "CapEff:\t00000000a80425fb\nCpus_allowed_list:\t3\n");
  tree.write("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "0\n");
}

Finding find(const FixtureTree& tree, std::string_view id, const Plan& plan) {
  StagedProbes probes;
  return find(tree, probes, id, plan);
}

Finding find(const FixtureTree& tree, Probes& probes, std::string_view id, const Plan& plan) {
  const auto findings = examine(tree.tree(), probes, plan);
  const auto found = std::ranges::find(findings, id, &Finding::id);
  EXPECT_NE(found, findings.end()) << "no finding " << id;
  return found == findings.end() ? Finding{} : *found;
}

Plan with_cores(std::string_view cores) {
  return {.cores = CpuList::parse(cores).value(), .reactors = 1};
}

}  // namespace lockstep::doctor
