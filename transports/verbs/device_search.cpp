#include "transports/verbs/device_search.hpp"

#include <fmt/format.h>
#include <hwloc.h>
#include <hwloc/openfabrics-verbs.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

namespace lockstep::transports {
namespace {

/// All RDMA devices of this machine, by name. The list lives as long as this; an opened device does
/// not need it.
class DeviceList {
 public:
  DeviceList() : list_(::ibv_get_device_list(&count_)) {
    if (list_ == nullptr) count_ = 0;
    devices_.assign(list_, list_ + count_);
    std::ranges::sort(devices_, {}, [](ibv_device* device) {
      return std::string(::ibv_get_device_name(device));
    });
  }
  ~DeviceList() {
    if (list_ != nullptr) ::ibv_free_device_list(list_);
  }
  DeviceList(const DeviceList&) = delete;
  DeviceList& operator=(const DeviceList&) = delete;

  [[nodiscard]] std::span<ibv_device* const> devices() const { return devices_; }
  [[nodiscard]] std::string names() const {
    std::string names;
    for (ibv_device* device : devices_) {
      names += fmt::format("{}{}", names.empty() ? "" : ", ", ::ibv_get_device_name(device));
    }
    return names;
  }

 private:
  int count_ = 0;
  ibv_device** list_;
  std::vector<ibv_device*> devices_;
};

Expected<Handle<ibv_context>> open_context(ibv_device* device) {
  Handle<ibv_context> context(::ibv_open_device(device));
  if (context) return context;
  return fail(ErrorCode::system,
              fmt::format("RDMA device {} cannot be opened: {}; check the permissions of "
                          "/dev/infiniband/uverbs*",
                          ::ibv_get_device_name(device), std::strerror(errno)));
}

Expected<FoundDevice> find_by_name(const DeviceList& list, const std::string& name) {
  for (ibv_device* device : list.devices()) {
    if (name != ::ibv_get_device_name(device)) continue;
    auto context = open_context(device);
    if (!context) return std::unexpected(context.error());
    return FoundDevice{.address_events = {}, .address = {}, .context = std::move(*context)};
  }
  return fail(ErrorCode::configuration,
              fmt::format("there is no RDMA device '{}'; there are: {}", name, list.names()));
}

/// librdmacm's view of a local address. The identifier is kept: events about the address come by
/// it.
Expected<FoundDevice> find_by_address(const DeviceList& list, const std::string& address) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* resolved = nullptr;
  if (const int error = ::getaddrinfo(address.c_str(), nullptr, &hints, &resolved); error != 0) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' is no IPv4 or IPv6 address ({}); write the address of the RDMA "
                            "device, not a host name",
                            address, ::gai_strerror(error)));
  }
  FoundDevice found;
  found.address_events.reset(::rdma_create_event_channel());
  rdma_cm_id* id = nullptr;
  int error = found.address_events ? 0 : errno;
  if (error == 0 && ::rdma_create_id(found.address_events.get(), &id, nullptr, RDMA_PS_TCP) != 0) {
    error = errno;
  }
  found.address.reset(id);
  if (error == 0 && ::rdma_bind_addr(id, resolved->ai_addr) != 0) error = errno;
  ::freeaddrinfo(resolved);
  if (error == 0 && id->verbs != nullptr) {
    auto context = open_context(id->verbs->device);
    if (!context) return std::unexpected(context.error());
    found.context = std::move(*context);
    found.port = id->port_num;
    return found;
  }
  return fail(ErrorCode::configuration,
              fmt::format("no RDMA device has the address {} ({}); there are the devices {}: "
                          "'rdma link' shows their network interfaces, 'modprobe rdma_cm rdma_ucm' "
                          "loads what resolves addresses",
                          address, error == 0 ? "it is no device's own" : std::strerror(error),
                          list.names()));
}

/// Whether `core` is among the CPUs that hwloc names for the device: its NUMA node. Software
/// devices are near everything.
bool is_near(ibv_device* device, std::int32_t core) {
  hwloc_topology_t topology = nullptr;
  if (core < 0 || ::hwloc_topology_init(&topology) != 0) return true;
  bool near = true;
  hwloc_bitmap_t cpus = ::hwloc_bitmap_alloc();
  if (::hwloc_topology_load(topology) == 0 &&
      ::hwloc_ibv_get_device_cpuset(topology, device, cpus) == 0) {
    near = ::hwloc_bitmap_isset(cpus, static_cast<unsigned>(core)) != 0;
  }
  ::hwloc_bitmap_free(cpus);
  ::hwloc_topology_destroy(topology);
  return near;
}

/// Why a device cannot be chosen without being asked for; empty if it can.
std::string unfit(ibv_device* device, const Expected<Handle<ibv_context>>& context) {
  if (!context) return context.error().message;
  const char* name = ::ibv_get_device_name(device);
  if (device->transport_type != IBV_TRANSPORT_IB) {
    return fmt::format("{} is neither RoCE nor InfiniBand", name);
  }
  return active_port(context->get()) == 0 ? fmt::format("no port of {} is up", name) : "";
}

Expected<FoundDevice> find_nearest(const DeviceList& list, std::int32_t core) {
  FoundDevice best;
  std::string faults;
  for (ibv_device* device : list.devices()) {
    auto context = open_context(device);
    if (const std::string fault = unfit(device, context); !fault.empty()) {
      faults += "; " + fault;
      continue;
    }
    const bool near = list.devices().size() == 1 || is_near(device, core);
    if (!best.context || near) best.context = std::move(*context);
    if (near) break;
  }
  if (best.context) return best;
  return fail(ErrorCode::configuration,
              fmt::format("no RDMA device is usable{}; bring a network interface up (ip link set "
                          "NAME up), or name the device",
                          faults));
}

}  // namespace

std::uint8_t active_port(ibv_context* context) noexcept {
  ibv_device_attr limits{};
  if (::ibv_query_device(context, &limits) != 0) return 0;
  for (std::uint8_t port = 1; port <= limits.phys_port_cnt; ++port) {
    ibv_port_attr state{};
    if (::ibv_query_port(context, port, &state) == 0 && state.state == IBV_PORT_ACTIVE) return port;
  }
  return 0;
}

Expected<FoundDevice> find_device(const DeviceChoice& choice) {
  const DeviceList list;
  if (list.devices().empty()) {
    return fail(ErrorCode::not_supported,
                "this machine has no RDMA device: install a NIC and its driver, or add a software "
                "device (modprobe rdma_rxe; rdma link add rxe0 type rxe netdev NAME)");
  }
  if (!choice.device.empty()) return find_by_name(list, choice.device);
  if (!choice.address.empty()) return find_by_address(list, choice.address);
  return find_nearest(list, choice.core);
}

}  // namespace lockstep::transports
