#pragma once

#include <string>
#include <vector>

#include "tools/doctor/tree.hpp"

namespace lockstep::doctor {

/// Network interfaces with a device below them, by name: no loopback, bridge, tunnel or veth.
[[nodiscard]] std::vector<std::string> physical_interfaces(const Tree& tree);

/// The first of them for a command, else "eth0".
[[nodiscard]] std::string first_interface(const Tree& tree);

/// "0000:3b:00.0", where `interface` is a PCI device's; empty otherwise.
[[nodiscard]] std::string pci_address(const Tree& tree, const std::string& interface);

}  // namespace lockstep::doctor
