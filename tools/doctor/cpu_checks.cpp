#include <fmt/format.h>

#include "tools/doctor/checks.hpp"

namespace lockstep::doctor {
namespace {

const std::string kCpus = "/sys/devices/system/cpu/";

Finding unknown_cpus(std::string id, std::string wanted, const Machine& machine) {
  return unread_finding(std::move(id), std::move(wanted), *machine.doubt);
}

/// The CPUs to give to `reactors` where nobody named any: the last allowed ones, since the kernel
/// boots on the first and most drivers stay there. Never all of them.
CpuList proposed_cores(const Machine& machine) {
  if (!machine.cores.empty()) return machine.cores;
  const auto cpus = machine.allowed.cpus();
  CpuList proposed;
  for (std::size_t i = 1; i < cpus.size() && i <= machine.reactors; ++i) {
    proposed.add(cpus[cpus.size() - i]);
  }
  return proposed;
}

std::string isolating(const Machine& machine) {
  const std::string cores = proposed_cores(machine).text();
  if (cores.empty()) return "taskset -p 1 $$   # one CPU: none can be set apart; add CPUs";
  return on_command_line(machine, fmt::format("isolcpus=managed_irq,domain,{0} nohz_full={0} "
                                              "rcu_nocbs={0}",
                                              cores));
}

}  // namespace

Finding check_machine(const Tree& /*tree*/, const Machine& machine) {
  Finding finding{.id = "machine",
                  .severity = Severity::ok,
                  .found = "bare metal",
                  .wanted = "bare metal, or a host whose CPUs are not shared",
                  .mend = ""};
  if (!machine.is_virtual && !machine.is_container) return finding;
  finding.found = fmt::format("{}{}{}", machine.is_virtual ? "virtual machine" : "",
                              machine.is_virtual && machine.is_container ? ", " : "",
                              machine.is_container ? "container" : "");
  if (!machine.is_virtual) return finding;
  finding.severity = Severity::note;
  finding.mend = "on the host: virsh vcpupin DOMAIN VCPU CPU   # for each virtual CPU";
  return finding;
}

Finding check_allowed_cpus(const Tree& /*tree*/, const Machine& machine) {
  Finding finding{
      .id = "allowed_cpus",
      .severity = Severity::ok,
      .found = fmt::format("CPUs {} ({})", machine.allowed.text(), machine.allowed.count()),
      .wanted = fmt::format("one for each of {} spinning reactors, and one for the rest",
                            machine.reactors),
      .mend = ""};
  if (machine.doubt) return unknown_cpus(finding.id, finding.wanted, machine);
  const CpuList outside = machine.cores.without(machine.allowed);
  const std::size_t cpus = machine.allowed.count() + outside.count();
  if (!outside.empty()) {
    // A reactor is pinned only where its process may run, and isolcpus= takes those CPUs away from
    // everybody who does not ask.
    finding.severity = machine.cores_are_planned ? Severity::error : Severity::note;
    finding.found += fmt::format(", not {}", outside.text());
    finding.wanted = fmt::format("the reactors' cores {}", machine.cores.text());
    finding.mend =
        machine.reachable.contains_all_of(outside)
            ? fmt::format("taskset -c {},{} COMMAND", machine.allowed.text(), outside.text())
            : fmt::format(
                  "lscpu --extended   # name others; a container: docker run "
                  "--cpuset-cpus {}",
                  machine.cores.text());
  } else if (cpus <= machine.reactors) {
    finding.severity = cpus < machine.reactors ? Severity::warning : Severity::note;
    finding.mend = "set idle = \"backoff\" in [reactor], or run fewer members on this host";
  }
  return finding;
}

Finding check_isolated_cpus(const Tree& tree, const Machine& machine) {
  const std::string path = kCpus + "isolated";
  Finding finding{.id = "isolated_cpus",
                  .severity = Severity::ok,
                  .found = "",
                  .wanted = "the reactors' cores isolated from other work",
                  .mend = ""};
  const auto isolated = tree.cpus(path);
  if (!isolated) return unread_finding(finding.id, finding.wanted, isolated.error());
  finding.found = isolated->empty() ? "none" : fmt::format("CPUs {}", isolated->text());
  const CpuList open = machine.cores.without(*isolated);
  if (!machine.cores.empty() && open.empty()) return finding;
  finding.severity = machine.is_virtual ? Severity::note : Severity::warning;
  if (!open.empty()) finding.found += fmt::format("; the reactors' {} are not", open.text());
  finding.mend = isolating(machine);
  return finding;
}

Finding check_nohz_full(const Tree& tree, const Machine& machine) {
  Finding finding{.id = "nohz_full",
                  .severity = Severity::ok,
                  .found = "",
                  .wanted = "no timer ticks on the reactors' cores",
                  .mend = ""};
  const auto quiet = tree.cpus(kCpus + "nohz_full");
  if (!quiet && quiet.error().why == Unread::Why::absent) {
    finding.severity = Severity::note;
    finding.found = "this kernel always ticks";
    finding.mend = "grep NO_HZ_FULL /boot/config-*   # boot a kernel with CONFIG_NO_HZ_FULL=y";
    return finding;
  }
  if (!quiet) return unread_finding(finding.id, finding.wanted, quiet.error());
  finding.found = quiet->empty() ? "none" : fmt::format("CPUs {}", quiet->text());
  if (!machine.cores.empty() && quiet->contains_all_of(machine.cores)) return finding;
  finding.severity = Severity::note;
  finding.mend = isolating(machine);
  return finding;
}

Finding check_hyper_threads(const Tree& tree, const Machine& machine) {
  Finding finding{.id = "hyper_threads",
                  .severity = Severity::ok,
                  .found = "no reactor's core has an active sibling",
                  .wanted = "a physical core for each reactor",
                  .mend = ""};
  const CpuList looked_at = machine.cores.empty() ? machine.allowed : machine.cores;
  CpuList siblings;
  for (const std::uint32_t cpu : looked_at.cpus()) {
    const std::string topology = fmt::format("{}cpu{}/topology/", kCpus, cpu);
    const auto pair = tree.cpus(topology + "thread_siblings_list");
    if (!pair) return unread_finding(finding.id, finding.wanted, pair.error());
    if (pair->count() < 2) continue;
    // Of a core with two reactors' CPUs both are to be seen, of others the one that may be taken
    // off.
    for (const std::uint32_t other : pair->cpus()) {
      if (other != cpu) siblings.add(other);
    }
  }
  if (siblings.empty()) return finding;
  const CpuList both = machine.cores.common_with(siblings);
  if (!both.empty()) {
    finding.severity = Severity::warning;
    finding.found = fmt::format("the reactors' cores {} are siblings", both.text());
    finding.mend =
        "set core in [reactor] to CPUs of different cores: lscpu --extended=CPU,CORE,NODE";
    return finding;
  }
  finding.severity = Severity::note;
  finding.found = machine.cores.empty() ? "CPUs share cores in pairs"
                                        : fmt::format("{} share the reactors' cores {}",
                                                      siblings.text(), machine.cores.text());
  std::string files;
  for (const std::uint32_t cpu : siblings.cpus()) {
    files += fmt::format(" {}cpu{}/online", kCpus, cpu);
  }
  finding.mend = on_hardware(machine, machine.cores.empty()
                                          ? fmt::format("echo off | tee {}smt/control", kCpus)
                                          : fmt::format("echo 0 | tee{}", files));
  return finding;
}

}  // namespace lockstep::doctor
