#include "tools/doctor/transport_checks.hpp"

#include <fmt/format.h>

#include "tools/doctor/checks.hpp"

namespace lockstep::doctor {
namespace {

using Ids = std::span<const std::string_view>;

constexpr std::array<std::string_view, 3> kShm = {"huge_pages", "hyper_threads", "memory_limit"};
constexpr std::array<std::string_view, 2> kTcp = {"io_uring", "nic_numa"};
constexpr std::array<std::string_view, 3> kUdp = {"receive_buffer", "send_buffer", "nic_numa"};
constexpr std::array<std::string_view, 5> kVerbs = {"rdma_devices", "rdma_gids", "locked_memory",
                                                    "huge_pages", "nic_numa"};
constexpr std::array<std::string_view, 4> kDpdk = {"dpdk_plugin", "dpdk_ports", "huge_pages",
                                                   "nic_numa"};

Trial try_it(Probes& probes, std::string_view transport) {
  if (transport == "shm") return probes.shm();
  if (transport == "tcp") return probes.tcp();
  if (transport == "udp") return probes.udp();
  if (transport == "verbs") return probes.verbs();
  return probes.dpdk_plugin();
}

/// Without a device libibverbs only says that it finds none; the tree knows more, and the mend.
void explain(const Tree& tree, const Machine& machine, Trial& trial) {
  const Finding devices = check_rdma_devices(tree, machine);
  if (devices.severity == Severity::ok) return;
  trial.found = fmt::format("{}: {}", devices.id, devices.found);
  trial.mend = devices.mend;
}

}  // namespace

Finding check_transport(const Tree& tree, const Machine& machine, Probes& probes,
                        std::string_view transport, bool required) {
  Trial trial = try_it(probes, transport);
  if (!trial.works && transport == "verbs") explain(tree, machine, trial);
  const Severity severity = trial.works ? Severity::ok
                            : required  ? Severity::error
                                        : Severity::note;
  return {.id = fmt::format("transport_{}", transport),
          .severity = severity,
          .found = std::move(trial.found),
          .wanted = fmt::format("{} can run here", transport),
          .mend = std::move(trial.mend)};
}

Ids related_to(std::string_view transport) {
  if (transport == "shm") return kShm;
  if (transport == "tcp") return kTcp;
  if (transport == "udp") return kUdp;
  if (transport == "verbs") return kVerbs;
  if (transport == "dpdk") return kDpdk;
  return {};
}

}  // namespace lockstep::doctor
