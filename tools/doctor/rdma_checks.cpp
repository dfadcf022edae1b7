#include <fmt/format.h>

#include <algorithm>

#include "tools/doctor/checks.hpp"
#include "tools/doctor/interfaces.hpp"

namespace lockstep::doctor {
namespace {

const std::string kDevices = "/sys/class/infiniband/";

/// What makes an RDMA device where there is none: Soft-RoCE.
std::string making_a_device(const Tree& tree, const Machine& machine) {
  if (!machine.loads_modules && machine.is_virtual) {
    return "this kernel loads no modules: boot Debian's own (apt-get install linux-image-amd64), "
           "or "
           "ci/soft-roce COMMAND runs one where there are devices";
  }
  return on_kernel(machine,
                   fmt::format("modprobe rdma_rxe && rdma link add rxe0 type rxe netdev {}",
                               first_interface(tree)));
}

struct Port {
  std::string name;    ///< "mlx5_0/1"
  std::string device;  ///< "mlx5_0"
  std::string folder;  ///< with a slash at its end
};

std::vector<Port> ports_in(const Tree& tree) {
  std::vector<Port> ports;
  for (const std::string& device : tree.names(kDevices)) {
    const std::string folder = kDevices + device + "/ports/";
    for (const std::string& number : tree.names(folder)) {
      ports.push_back({.name = fmt::format("{}/{}", device, number),
                       .device = device,
                       .folder = folder + number + "/"});
    }
  }
  return ports;
}

/// The network interface of a port, as its first address says; the NIC's, where it has none.
std::string interface_of(const Tree& tree, const Port& port) {
  const std::string name = tree.text(port.folder + "gid_attrs/ndevs/0").value_or("");
  const auto interfaces = tree.names("/sys/class/net");
  if (std::ranges::find(interfaces, name) != interfaces.end()) return name;
  const auto below = tree.names(kDevices + port.device + "/device/net");
  return below.empty() ? first_interface(tree) : below.front();
}

/// "0000:…:ffff" with nothing but zeros is an empty entry.
bool is_empty(std::string_view gid) { return gid.find_first_not_of("0:") == gid.npos; }

/// How many GIDs of a port are addresses for RoCE v2. The files of empty entries answer EINVAL.
std::size_t version_2_gids(const Tree& tree, const Port& port) {
  std::size_t count = 0;
  for (const std::string& index : tree.names(port.folder + "gid_attrs/types")) {
    const auto type = tree.text(port.folder + "gid_attrs/types/" + index);
    const auto gid = tree.text(port.folder + "gids/" + index);
    if (type && gid && *type == "RoCE v2" && !is_empty(*gid)) ++count;
  }
  return count;
}

}  // namespace

Finding check_rdma_devices(const Tree& tree, const Machine& machine) {
  Finding finding{.id = "rdma_devices",
                  .severity = Severity::ok,
                  .found = "",
                  .wanted = "a RoCE or InfiniBand device with an active port",
                  .mend = ""};
  const std::vector<Port> ports = ports_in(tree);
  std::size_t active = 0;
  std::string idle_interface;
  for (const Port& port : ports) {
    const auto state = tree.text(port.folder + "state");
    if (!state) return unread_finding(finding.id, finding.wanted, state.error());
    // "4: ACTIVE"; "5: ACTIVE_DEFER" is a link that is being lost.
    const bool is_active = state->ends_with("ACTIVE");
    if (is_active) ++active;
    if (!is_active && idle_interface.empty()) idle_interface = interface_of(tree, port);
    finding.found +=
        fmt::format("{}{} is {}", finding.found.empty() ? "" : ", ", port.name, excerpt(*state));
  }
  if (active > 0) return finding;
  finding.severity = ports.empty() ? Severity::note : Severity::warning;
  if (ports.empty()) {
    finding.found = "none";
    finding.mend = making_a_device(tree, machine);
  } else {
    finding.mend = on_kernel(
        machine, fmt::format("ip link set {} up   # else look at the cable", idle_interface));
  }
  return finding;
}

Finding check_rdma_gids(const Tree& tree, const Machine& machine) {
  Finding finding{.id = "rdma_gids",
                  .severity = Severity::ok,
                  .found = "",
                  .wanted = "an address of RoCE v2 at each Ethernet port",
                  .mend = ""};
  std::string without;  // the interface of a port that has no such address
  const std::vector<Port> ports = ports_in(tree);
  for (const Port& port : ports) {
    const std::string separator = finding.found.empty() ? "" : ", ";
    if (tree.text(port.folder + "link_layer").value_or("") == "InfiniBand") {
      finding.found += fmt::format("{}{} by LID", separator, port.name);
      continue;
    }
    const std::size_t count = version_2_gids(tree, port);
    if (count == 0) without = interface_of(tree, port);
    finding.found += fmt::format("{}{} has {}", separator, port.name, count);
  }
  if (ports.empty()) finding.found = "no RDMA device";
  if (!ports.empty() && without.empty()) return finding;
  finding.severity = ports.empty() ? Severity::note : Severity::warning;
  finding.mend = ports.empty()
                     ? making_a_device(tree, machine)
                     : on_kernel(machine, fmt::format("ip addr add ADDRESS/24 dev {}", without));
  return finding;
}

}  // namespace lockstep::doctor
