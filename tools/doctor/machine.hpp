#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tools/doctor/cpu_list.hpp"
#include "tools/doctor/tree.hpp"

namespace lockstep::doctor {

/// What the user means to run here.
struct Plan {
  CpuList cores;               ///< where reactors will be pinned; empty: not said
  std::uint32_t reactors = 1;  ///< on this host, all members together
};

/// What several checks need to know of the machine, read once.
struct Machine {
  CpuList allowed;              ///< this process's affinity; empty: unknown
  std::optional<Unread> doubt;  ///< why it is unknown
  /// Where this process could go: its cpuset, which taskset cannot leave. Isolated CPUs are in it,
  /// and in nobody's affinity to begin with.
  CpuList reachable;
  /// The plan's cores, else the isolated ones that are reachable: those are there for reactors.
  CpuList cores;
  bool cores_are_planned = false;
  std::uint32_t reactors = 1;      ///< as many as planned, and at least the planned cores
  std::uint64_t capabilities = 0;  ///< effective, capabilities(7)
  bool is_virtual = false;         ///< the CPUs are a hypervisor's
  bool is_container = false;
  bool settings_are_read_only = false;  ///< /proc/sys or /sys cannot be written in here
  bool loads_modules = false;           ///< the kernel takes modules
  bool boots_by_grub = false;           ///< /etc/default/grub has its command line

  [[nodiscard]] bool may(unsigned capability) const {
    return (capabilities >> capability & 1U) != 0;
  }
};

[[nodiscard]] Machine read_machine(const Tree& tree, const Plan& plan);

/// `command` changes the kernel: said with where it must run, if that is not here.
[[nodiscard]] std::string on_kernel(const Machine& machine, std::string_view command);
/// `command` changes what belongs to the CPUs or devices themselves: a guest cannot.
[[nodiscard]] std::string on_hardware(const Machine& machine, std::string_view command);
/// Adds words to the kernel's command line, on Debian; takes effect with the next boot.
[[nodiscard]] std::string on_command_line(const Machine& machine, std::string_view words);

}  // namespace lockstep::doctor
