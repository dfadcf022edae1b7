#include <fmt/format.h>

#include <set>

#include "tools/doctor/checks.hpp"

namespace lockstep::doctor {
namespace {

/// A state that is left sooner costs less than a wake-up through the kernel does.
constexpr std::int64_t kQuickExitUs = 2;

std::string folder_of(std::uint32_t cpu) {
  return fmt::format("/sys/devices/system/cpu/cpu{}/", cpu);
}

const CpuList& judged(const Machine& machine) {
  return machine.cores.empty() ? machine.allowed : machine.cores;
}

std::string joined(const std::set<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// The enabled idle states of some CPUs that take long to leave.
struct SlowStates {
  std::set<std::string> names;    ///< "C6 (133 us)"
  std::set<std::string> folders;  ///< "state3"
  std::size_t looked_at = 0;
};

Reading<void> add_slow_states(const Tree& tree, std::uint32_t cpu, SlowStates& slow) {
  const std::string folder = folder_of(cpu) + "cpuidle/";
  for (const std::string& state : tree.names(folder)) {
    if (!state.starts_with("state")) continue;
    ++slow.looked_at;
    const auto latency_us = tree.number(folder + state + "/latency");
    if (!latency_us) return std::unexpected(latency_us.error());
    const auto disabled = tree.number(folder + state + "/disable");
    if (!disabled) return std::unexpected(disabled.error());
    if (*disabled != 0 || *latency_us <= kQuickExitUs) continue;
    const std::string name = tree.text(folder + state + "/name").value_or(state);
    slow.names.insert(fmt::format("{} ({} us)", excerpt(name), *latency_us));
    slow.folders.insert(state);
  }
  return {};
}

}  // namespace

Finding check_cpu_governor(const Tree& tree, const Machine& machine) {
  Finding finding{.id = "cpu_governor",
                  .severity = Severity::ok,
                  .found = "",
                  .wanted = "performance",
                  .mend = ""};
  const std::string command =
      "echo performance | tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor";
  std::set<std::string> governors;
  for (const std::uint32_t cpu : judged(machine).cpus()) {
    const auto governor = tree.text(folder_of(cpu) + "cpufreq/scaling_governor");
    if (governor) {
      governors.insert(excerpt(*governor));
    } else if (governor.error().why != Unread::Why::absent) {
      return unread_finding(finding.id, finding.wanted, governor.error());
    }
  }
  finding.found = joined(governors);
  if (governors == std::set<std::string>{"performance"}) return finding;
  finding.severity = governors.empty() ? Severity::note : Severity::warning;
  finding.mend = on_hardware(machine, command);
  if (governors.empty()) {
    finding.found = machine.is_virtual ? "not shown to a guest" : "the kernel does not choose it";
    if (!machine.is_virtual)
      finding.mend = "in the firmware's setup: power profile \"performance\"";
  }
  return finding;
}

Finding check_idle_states(const Tree& tree, const Machine& machine) {
  Finding finding{.id = "idle_states",
                  .severity = Severity::ok,
                  .found = "",
                  .wanted = fmt::format("none that takes over {} us to leave", kQuickExitUs),
                  .mend = ""};
  SlowStates slow;
  for (const std::uint32_t cpu : judged(machine).cpus()) {
    const auto added = add_slow_states(tree, cpu, slow);
    if (!added) return unread_finding(finding.id, finding.wanted, added.error());
  }
  if (slow.names.empty() && !machine.is_virtual) {
    finding.found = slow.looked_at == 0 ? "the kernel uses none" : "all slow ones are disabled";
    return finding;
  }
  if (slow.names.empty()) {
    // A halted virtual CPU is given back to the host, and waking it costs what the host takes.
    finding.severity = Severity::note;
    finding.found = "the host's, not shown to a guest";
    finding.mend = fmt::format("on the host: cpupower idle-set -D {}   # package linux-cpupower",
                               kQuickExitUs);
    return finding;
  }
  finding.severity = Severity::warning;
  finding.found = fmt::format("enabled: {}", joined(slow.names));
  std::string files;
  for (const std::string& folder : slow.folders) {
    files += fmt::format(" /sys/devices/system/cpu/cpu*/cpuidle/{}/disable", folder);
  }
  finding.mend = on_hardware(machine, fmt::format("echo 1 | tee{}", files));
  return finding;
}

}  // namespace lockstep::doctor
