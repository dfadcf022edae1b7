#include <fmt/format.h>
#include <linux/capability.h>

#include <algorithm>
#include <optional>

#include "tools/doctor/checks.hpp"
#include "tools/doctor/interfaces.hpp"

namespace lockstep::doctor {
namespace {

/// What the udp transport asks the kernel to hold: 256 packets of 8 KiB, each with 1280 bytes of
/// the kernel's own, from each of two peers. The kernel grants twice net.core.rmem_max, and counts
/// twice, so the setting is what counts (docs/transports.md).
constexpr std::int64_t kPacketBytes = 8'192 + 1'280;
constexpr std::int64_t kPeers = 2;
constexpr std::int64_t kFullCredit = 256;
constexpr std::int64_t kGoodCredit = 64;

/// The node whose CPUs `cores` are; none if they are of several, or the node is not shown.
std::optional<std::int64_t> node_of(const Tree& tree, const CpuList& cores) {
  for (std::int64_t node = 0; node < 64; ++node) {
    const auto cpus = tree.cpus(fmt::format("/sys/devices/system/node/node{}/cpulist", node));
    if (cpus && !cores.empty() && cpus->contains_all_of(cores)) return node;
  }
  return std::nullopt;
}

std::size_t nodes_in(const Tree& tree) {
  const auto names = tree.names("/sys/devices/system/node");
  return static_cast<std::size_t>(std::ranges::count_if(names, [](const std::string& name) {
    return name.starts_with("node") && name.size() > 4 &&
           name.find_first_not_of("0123456789", 4) == std::string::npos;
  }));
}

/// Interrupts whose CPUs, as set, have one of `cores` among them.
Reading<std::vector<std::string>> interrupts_at(const Tree& tree, const CpuList& cores) {
  std::vector<std::string> numbers;
  for (const std::string& number : tree.names("/proc/irq")) {
    const std::string folder = fmt::format("/proc/irq/{}/", number);
    auto cpus = tree.cpus(folder + "effective_affinity_list");
    // Kernels without the effective one, and interrupts nobody has asked for, leave it out or
    // empty.
    if (!cpus || cpus->empty()) cpus = tree.cpus(folder + "smp_affinity_list");
    if (!cpus && cpus.error().why == Unread::Why::absent) continue;
    if (!cpus) return std::unexpected(cpus.error());
    if (!cpus->common_with(cores).empty()) numbers.push_back(number);
  }
  return numbers;
}

Finding check_buffer(const Tree& tree, const Machine& machine, std::string id,
                     const std::string& setting) {
  const std::int64_t full = kPeers * kFullCredit * kPacketBytes;
  Finding finding{.id = std::move(id),
                  .severity = Severity::ok,
                  .found = "",
                  .wanted = fmt::format("{} bytes: {} packets from each of {} peers over udp", full,
                                        kFullCredit, kPeers),
                  .mend = ""};
  const auto bytes = tree.number("/proc/sys/net/core/" + setting);
  if (!bytes) return unread_finding(finding.id, finding.wanted, bytes.error());
  finding.found = fmt::format("{} bytes", *bytes);
  if (*bytes >= full) return finding;
  if (machine.may(CAP_NET_ADMIN)) {
    finding.found += ", which does not bind who has CAP_NET_ADMIN";
    return finding;
  }
  const bool good = *bytes >= kPeers * kGoodCredit * kPacketBytes;
  finding.severity = good ? Severity::note : Severity::warning;
  finding.mend = on_kernel(machine, fmt::format("sysctl -w net.core.{}={}", setting, full));
  return finding;
}

}  // namespace

Finding check_irq_affinity(const Tree& tree, const Machine& machine) {
  Finding finding{.id = "irq_affinity",
                  .severity = Severity::ok,
                  .found = "",
                  .wanted = "no interrupts at the reactors' cores",
                  .mend = ""};
  if (machine.cores.empty()) {
    finding.severity = Severity::note;
    finding.found = "unknown: no cores are isolated, and --cores names none";
    finding.mend = "lockstep doctor --cores LIST   # where the reactors are to be";
    return finding;
  }
  if (!tree.has("/proc/irq")) {
    return unread_finding(finding.id, finding.wanted,
                          {.why = Unread::Why::absent,
                           .path = "/proc/irq",
                           .text = "/proc/irq: there is no such folder"});
  }
  const auto numbers = interrupts_at(tree, machine.cores);
  if (!numbers) return unread_finding(finding.id, finding.wanted, numbers.error());
  finding.found = fmt::format("{} may come to {}", numbers->size(), machine.cores.text());
  if (numbers->empty()) return finding;
  const std::string others = machine.allowed.without(machine.cores).text();
  finding.severity = Severity::warning;
  finding.mend = on_kernel(
      machine, fmt::format("systemctl disable --now irqbalance; for i in /proc/irq/[0-9]*; do echo "
                           "{} > $i/smp_affinity_list; done",
                           others.empty() ? "0" : others));
  return finding;
}

Finding check_nic_numa(const Tree& tree, const Machine& machine) {
  Finding finding{.id = "nic_numa",
                  .severity = Severity::ok,
                  .found = "one NUMA node",
                  .wanted = "the reactors on a NIC's NUMA node",
                  .mend = ""};
  if (nodes_in(tree) < 2) return finding;
  const auto home = node_of(tree, machine.cores);
  std::string shown;
  CpuList near;
  bool is_near = false;
  for (const std::string& interface : physical_interfaces(tree)) {
    const std::string path = fmt::format("/sys/class/net/{}/device/numa_node", interface);
    const auto node = tree.number(path);
    if (!node && node.error().why == Unread::Why::absent) continue;
    if (!node) return unread_finding(finding.id, finding.wanted, node.error());
    if (*node < 0) continue;  // the firmware does not say
    const auto cpus = tree.cpus(fmt::format("/sys/devices/system/node/node{}/cpulist", *node));
    if (!cpus) return unread_finding(finding.id, finding.wanted, cpus.error());
    shown += fmt::format("{}{} on node {}", shown.empty() ? "" : ", ", interface, *node);
    for (const std::uint32_t cpu : cpus->cpus()) near.add(cpu);
    is_near = is_near || home == *node;
  }
  finding.found = shown.empty() ? "no NIC says where it is" : shown;
  if (is_near || shown.empty()) return finding;
  finding.severity = machine.cores.empty() ? Severity::note : Severity::warning;
  finding.found += machine.cores.empty() ? "; the reactors' cores are not known"
                   : home
                       ? fmt::format("; the reactors' {} on node {}", machine.cores.text(), *home)
                       : fmt::format("; the reactors' {} on several", machine.cores.text());
  finding.mend = fmt::format("lockstep doctor --cores LIST   # set core in [reactor] to one of {}",
                             near.text());
  return finding;
}

Finding check_receive_buffer(const Tree& tree, const Machine& machine) {
  return check_buffer(tree, machine, "receive_buffer", "rmem_max");
}

Finding check_send_buffer(const Tree& tree, const Machine& machine) {
  return check_buffer(tree, machine, "send_buffer", "wmem_max");
}

}  // namespace lockstep::doctor
