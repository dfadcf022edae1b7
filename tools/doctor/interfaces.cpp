#include "tools/doctor/interfaces.hpp"

#include <algorithm>

namespace lockstep::doctor {

std::vector<std::string> physical_interfaces(const Tree& tree) {
  const std::string root = "/sys/class/net/";
  std::vector<std::string> interfaces = tree.names(root);
  std::erase_if(interfaces,
                [&](const std::string& name) { return !tree.has(root + name + "/device"); });
  return interfaces;
}

std::string first_interface(const Tree& tree) {
  const auto interfaces = physical_interfaces(tree);
  return interfaces.empty() ? "eth0" : interfaces.front();
}

std::string pci_address(const Tree& tree, const std::string& interface) {
  const std::string name = tree.link_name("/sys/class/net/" + interface + "/device");
  // Domain, bus, device and function: two colons and a dot.
  const bool is_pci = std::ranges::count(name, ':') == 2 && std::ranges::count(name, '.') == 1;
  return is_pci ? name : "";
}

}  // namespace lockstep::doctor
