#include "tools/doctor/machine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ranges>

#include "tools/doctor/cgroup.hpp"

namespace lockstep::doctor {
namespace {

/// What follows "NAME:" or "NAME\t:" on the first line that begins so.
std::optional<std::string_view> value_of(std::string_view text, std::string_view name) {
  for (const auto part : std::views::split(text, '\n')) {
    std::string_view line(part.begin(), part.end());
    if (!line.starts_with(name)) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    line.remove_prefix(std::min(line.find_first_not_of(" \t", colon + 1), line.size()));
    return line;
  }
  return std::nullopt;
}

void read_status(const Tree& tree, Machine& machine) {
  const std::string path = "/proc/self/status";
  const auto status = tree.text(path);
  if (!status) {
    machine.doubt = status.error();
    return;
  }
  const std::string_view listed = value_of(*status, "Cpus_allowed_list").value_or("");
  const auto allowed = CpuList::parse(listed);
  if (allowed) machine.allowed = *allowed;
  if (machine.allowed.empty()) {
    machine.doubt = malformed(path, listed, "a file with the allowed CPUs (Cpus_allowed_list)");
  }
  const std::string_view digits = value_of(*status, "CapEff").value_or("");
  const char* end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, machine.capabilities, 16);
  if (parsed.ec != std::errc() || parsed.ptr != end) machine.capabilities = 0;
}

/// The innermost cpuset that can be seen; without cpusets, all CPUs.
CpuList read_cpuset(const Tree& tree, const Machine& machine) {
  const auto limits = read_limits(tree, {.controller = "cpuset",
                                         .version_1 = "cpuset.effective_cpus",
                                         .version_2 = "cpuset.cpus.effective"});
  if (limits && !limits->empty() && limits->front().text) {
    const auto cpus = CpuList::parse(*limits->front().text);
    if (cpus && !cpus->empty()) return *cpus;
  }
  return tree.cpus("/sys/devices/system/cpu/online").value_or(machine.allowed);
}

/// Whether /proc/sys or /sys is mounted read-only, as container engines do (proc(5), mountinfo).
bool has_read_only_settings(std::string_view mounts) {
  for (const auto part : std::views::split(mounts, '\n')) {
    const std::string_view line(part.begin(), part.end());
    for (const std::string_view place : {" /proc/sys ", " /sys "}) {
      const std::size_t at = line.find(place);
      if (at == std::string_view::npos) continue;
      const std::string_view options = line.substr(at + place.size());
      if (options.starts_with("ro,") || options.starts_with("ro ")) return true;
    }
  }
  return false;
}

bool is_container(const Tree& tree) {
  if (tree.has("/.dockerenv") || tree.has("/run/.containerenv")) return true;
  const std::string groups = tree.text("/proc/self/cgroup").value_or("");
  for (const std::string_view engine : {"docker", "kubepods", "containerd", "libpod", "lxc"}) {
    if (groups.contains(engine)) return true;
  }
  return false;
}

}  // namespace

Machine read_machine(const Tree& tree, const Plan& plan) {
  Machine machine;
  read_status(tree, machine);
  machine.reachable = read_cpuset(tree, machine);
  machine.cores = plan.cores;
  machine.cores_are_planned = !plan.cores.empty();
  if (machine.cores.empty()) {
    machine.cores = tree.cpus("/sys/devices/system/cpu/isolated")
                        .value_or(CpuList())
                        .common_with(machine.reachable);
  }
  machine.reactors = std::max(plan.reactors, static_cast<std::uint32_t>(plan.cores.count()));
  const std::string processor = tree.text("/proc/cpuinfo").value_or("");
  const std::string flags = fmt::format(" {} ", value_of(processor, "flags").value_or(""));
  machine.is_virtual = flags.contains(" hypervisor ") || tree.has("/sys/hypervisor/type");
  machine.is_container = is_container(tree);
  machine.settings_are_read_only =
      has_read_only_settings(tree.text("/proc/self/mountinfo").value_or(""));
  machine.loads_modules = tree.has("/proc/modules") &&
                          tree.number("/proc/sys/kernel/modules_disabled").value_or(0) == 0;
  machine.boots_by_grub = tree.has("/etc/default/grub");
  return machine;
}

std::string on_kernel(const Machine& machine, std::string_view command) {
  return fmt::format("{}{}", machine.settings_are_read_only ? "on the host: " : "", command);
}

std::string on_hardware(const Machine& machine, std::string_view command) {
  const bool elsewhere = machine.is_virtual || machine.settings_are_read_only;
  return fmt::format("{}{}", elsewhere ? "on the host: " : "", command);
}

std::string on_command_line(const Machine& machine, std::string_view words) {
  if (!machine.boots_by_grub) {
    return on_kernel(machine, fmt::format("boot with '{}' on the kernel's command line", words));
  }
  return on_kernel(machine, fmt::format("sed -i 's/^GRUB_CMDLINE_LINUX=\"/&{} /' "
                                        "/etc/default/grub && update-grub && reboot",
                                        words));
}

}  // namespace lockstep::doctor
