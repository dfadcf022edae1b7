#include <fmt/format.h>

#include "tools/doctor/checks.hpp"

namespace lockstep::doctor {
namespace {

const std::string kClocks = "/sys/devices/system/clocksource/clocksource0/";

bool has_word(std::string_view text, std::string_view word) {
  return fmt::format(" {} ", text).contains(fmt::format(" {} ", word));
}

/// Clocks that are read without a system call and without leaving the CPU.
bool is_quick(std::string_view clock) { return clock == "tsc" || clock == "arch_sys_counter"; }

/// What comes after "flags :" for the first processor; empty where processors have no such line.
std::string flags_in(std::string_view processors) {
  const std::size_t at = processors.find("flags\t");
  if (at == std::string_view::npos || (at > 0 && processors[at - 1] != '\n')) return "";
  std::string line(processors.substr(at, processors.find('\n', at) - at));
  return line.erase(0, std::min(line.size(), line.find(':') + 1));
}

}  // namespace

Finding check_clock_source(const Tree& tree, const Machine& machine) {
  Finding finding{.id = "clock_source",
                  .severity = Severity::ok,
                  .found = "",
                  .wanted = "tsc: the others take system calls or reads of a device",
                  .mend = ""};
  const auto clock = tree.text(kClocks + "current_clocksource");
  if (!clock) return unread_finding(finding.id, finding.wanted, clock.error());
  const std::string available = tree.text(kClocks + "available_clocksource").value_or("");
  if (clock->empty()) {
    return unread_finding(finding.id, finding.wanted,
                          malformed(kClocks + "current_clocksource", *clock, "a clock's name"));
  }
  finding.found = excerpt(*clock);
  if (is_quick(*clock)) return finding;
  finding.severity = Severity::warning;
  if (has_word(available, "tsc")) {
    finding.mend = on_kernel(machine, fmt::format("echo tsc > {}current_clocksource", kClocks));
  } else {
    finding.mend = on_command_line(machine, "tsc=reliable");
  }
  return finding;
}

Finding check_invariant_tsc(const Tree& tree, const Machine& machine) {
  const std::string path = "/proc/cpuinfo";
  Finding finding{.id = "invariant_tsc",
                  .severity = Severity::ok,
                  .found = "",
                  .wanted = "constant_tsc and nonstop_tsc: counts at one rate, asleep as well",
                  .mend = ""};
  const auto processors = tree.text(path);
  if (!processors) return unread_finding(finding.id, finding.wanted, processors.error());
  const std::string flags = flags_in(*processors);
  if (flags.empty()) {
    return unread_finding(finding.id, finding.wanted,
                          malformed(path, *processors, "a file with the flags of an x86 CPU"));
  }
  if (has_word(flags, "constant_tsc") && has_word(flags, "nonstop_tsc")) {
    finding.found = "the counter never changes its rate or stops";
    return finding;
  }
  finding.severity = Severity::warning;
  finding.found =
      has_word(flags, "constant_tsc") ? "it stops in deep idle states" : "its rate is not promised";
  finding.mend = machine.is_virtual
                     ? "on the host: virsh edit DOMAIN: <feature policy='require' name='invtsc'/>"
                     : on_command_line(machine, "processor.max_cstate=1");
  return finding;
}

Finding check_io_uring(const Tree& tree, const Machine& machine, Probes& probes) {
  Finding finding{.id = "io_uring",
                  .severity = Severity::ok,
                  .found = "",
                  .wanted = "allowed, for tcp_io = \"io_uring\"",
                  .mend = ""};
  const auto disabled = tree.number("/proc/sys/kernel/io_uring_disabled");
  if (!disabled && disabled.error().why != Unread::Why::absent) {
    return unread_finding(finding.id, finding.wanted, disabled.error());
  }
  const Trial trial = probes.io_uring();
  finding.found = trial.found;
  if (trial.works && disabled.value_or(0) == 0) return finding;
  finding.severity = Severity::note;
  finding.mend = trial.mend;
  // 1: only for members of kernel.io_uring_group and for CAP_SYS_ADMIN; 2: for nobody.
  if (disabled.value_or(0) != 0) {
    finding.found += fmt::format("; kernel.io_uring_disabled = {}", *disabled);
    finding.mend = on_kernel(machine, "sysctl -w kernel.io_uring_disabled=0");
  }
  return finding;
}

Finding check_mitigations(const Tree& tree, const Machine& machine) {
  Finding finding{.id = "mitigations",
                  .severity = Severity::ok,
                  .found = "off",
                  .wanted = "off, where no foreign code runs: they make system calls slower",
                  .mend = ""};
  const auto line = tree.text("/proc/cmdline");
  if (!line) return unread_finding(finding.id, finding.wanted, line.error());
  if (has_word(*line, "mitigations=off")) return finding;
  finding.severity = Severity::note;
  finding.found = "on";
  finding.mend = on_command_line(machine, "mitigations=off");
  return finding;
}

}  // namespace lockstep::doctor
