#include <fmt/format.h>

#include "tools/doctor/checks.hpp"
#include "tools/doctor/interfaces.hpp"

namespace lockstep::doctor {
namespace {

bool is_pci_address(std::string_view name) {
  return name.find_first_not_of("0123456789abcdef:.") == name.npos && name.contains(':');
}

}  // namespace

Finding check_dpdk_plugin(const Tree& /*tree*/, const Machine& /*machine*/, Probes& probes) {
  const Trial trial = probes.dpdk_plugin();
  return {.id = "dpdk_plugin",
          .severity = trial.works ? Severity::ok : Severity::note,
          .found = trial.found,
          .wanted = "loadable, for the dpdk transport",
          .mend = trial.mend};
}

Finding check_dpdk_ports(const Tree& tree, const Machine& machine) {
  const std::string driver = "/sys/bus/pci/drivers/vfio-pci";
  Finding finding{.id = "dpdk_ports",
                  .severity = Severity::ok,
                  .found = "",
                  .wanted = "a NIC given to vfio-pci; software ports need none",
                  .mend = ""};
  for (const std::string& name : tree.names(driver)) {
    if (!is_pci_address(name)) continue;
    finding.found += fmt::format("{}{}", finding.found.empty() ? "" : ", ", name);
  }
  if (!finding.found.empty()) return finding;
  finding.severity = Severity::note;
  finding.found = tree.has(driver) ? "none is bound to vfio-pci" : "vfio-pci is not loaded";
  std::string address;
  for (const std::string& interface : physical_interfaces(tree)) {
    // The NIC taken away from the kernel is gone for everything else: rather the last than eth0.
    const std::string candidate = pci_address(tree, interface);
    if (!candidate.empty()) address = candidate;
  }
  finding.mend =
      on_kernel(machine, fmt::format("modprobe vfio-pci && dpdk-devbind.py "
                                     "--bind=vfio-pci {}   # a NIC that nothing else uses",
                                     address.empty() ? "PCI_ADDRESS" : address));
  if (!machine.loads_modules && machine.is_virtual) {
    finding.mend =
        "this kernel loads no modules: boot Debian's own (apt-get install "
        "linux-image-amd64), or use an af_packet or memif port";
  }
  return finding;
}

}  // namespace lockstep::doctor
