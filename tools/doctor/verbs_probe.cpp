#include <fmt/format.h>
#include <infiniband/verbs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "tools/doctor/system_probes.hpp"

namespace lockstep::doctor {
namespace {

constexpr std::size_t kBytes = 1 << 20;
constexpr std::size_t kMostGids = 1'024;
constexpr int kCompletions = 16;

struct Release {
  void operator()(ibv_context* handle) const noexcept { ::ibv_close_device(handle); }
  void operator()(ibv_pd* handle) const noexcept { ::ibv_dealloc_pd(handle); }
  void operator()(ibv_mr* handle) const noexcept { ::ibv_dereg_mr(handle); }
  void operator()(ibv_cq* handle) const noexcept { ::ibv_destroy_cq(handle); }
  void operator()(ibv_qp* handle) const noexcept { ::ibv_destroy_qp(handle); }
  void operator()(ibv_device** list) const noexcept { ::ibv_free_device_list(list); }
};
template <class T>
using Handle = std::unique_ptr<T, Release>;

Trial failed(std::string found, std::string mend) {
  return {.works = false, .found = std::move(found), .mend = std::move(mend)};
}

/// Whether the port is one that members could meet at; `fault` says why not.
bool is_usable(ibv_context* context, std::uint8_t number, Trial& fault) {
  const char* name = ::ibv_get_device_name(context->device);
  ibv_port_attr port{};
  if (const int error = ::ibv_query_port(context, number, &port); error != 0) {
    fault =
        failed(fmt::format("{} port {}: {}", name, number, std::strerror(error)), "dmesg | tail");
    return false;
  }
  if (port.state != IBV_PORT_ACTIVE) {
    fault = failed(fmt::format("{} port {} is {}", name, number, ::ibv_port_state_str(port.state)),
                   "ip link set NETDEV up   # 'rdma link' says which; else look at the cable");
    return false;
  }
  if (port.link_layer == IBV_LINK_LAYER_INFINIBAND) return true;
  std::vector<ibv_gid_entry> table(kMostGids);
  const ssize_t count = ::ibv_query_gid_table(context, table.data(), table.size(), 0);
  table.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  const bool has_version_2 = std::ranges::any_of(table, [&](const ibv_gid_entry& entry) {
    return entry.port_num == number && entry.gid_type == IBV_GID_TYPE_ROCE_V2;
  });
  if (has_version_2) return true;
  fault = failed(fmt::format("{} port {} has no RoCE v2 address", name, number),
                 "ip addr add ADDRESS/24 dev NETDEV   # 'rdma link' says which");
  return false;
}

/// Memory that a peer could write, and a queue pair it could write through.
Trial make_ends(ibv_context* context) {
  const char* name = ::ibv_get_device_name(context->device);
  std::vector<std::byte> memory(kBytes);
  const Handle<ibv_pd> domain(::ibv_alloc_pd(context));
  if (!domain) {
    return failed(fmt::format("{}: ibv_alloc_pd: {}", name, std::strerror(errno)), "dmesg | tail");
  }
  const Handle<ibv_mr> region(::ibv_reg_mr(domain.get(), memory.data(), memory.size(),
                                           IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE));
  if (!region) {
    return failed(fmt::format("{}: 1 MiB cannot be registered: {}", name, std::strerror(errno)),
                  "ulimit -l unlimited   # a service: LimitMEMLOCK=infinity");
  }
  const Handle<ibv_cq> completions(::ibv_create_cq(context, kCompletions, nullptr, nullptr, 0));
  ibv_qp_init_attr wanted{};
  wanted.send_cq = wanted.recv_cq = completions.get();
  wanted.cap = {.max_send_wr = 1,
                .max_recv_wr = 1,
                .max_send_sge = 1,
                .max_recv_sge = 1,
                .max_inline_data = 0};
  wanted.qp_type = IBV_QPT_RC;
  const Handle<ibv_qp> pair(completions ? ::ibv_create_qp(domain.get(), &wanted) : nullptr);
  if (!pair) {
    return failed(fmt::format("{}: no queue pair: {}", name, std::strerror(errno)),
                  "ulimit -l unlimited   # a service: LimitMEMLOCK=infinity");
  }
  return {.works = true, .found = fmt::format("{} made a queue pair", name), .mend = ""};
}

Trial try_device(ibv_device* device) {
  const char* name = ::ibv_get_device_name(device);
  if (device->transport_type != IBV_TRANSPORT_IB) {
    return failed(fmt::format("{} is neither RoCE nor InfiniBand", name),
                  "rdma link   # use another device, or the tcp transport");
  }
  const Handle<ibv_context> context(::ibv_open_device(device));
  if (!context) {
    return failed(fmt::format("{} cannot be opened: {}", name, std::strerror(errno)),
                  "chmod 0666 /dev/infiniband/uverbs* /dev/infiniband/rdma_cm   # a container: "
                  "docker run --device /dev/infiniband");
  }
  ibv_device_attr limits{};
  if (const int error = ::ibv_query_device(context.get(), &limits); error != 0) {
    return failed(fmt::format("{}: {}", name, std::strerror(error)), "dmesg | tail");
  }
  Trial fault = failed(fmt::format("{} has no port", name), "rdma link");
  for (unsigned port = 1; port <= limits.phys_port_cnt; ++port) {
    if (is_usable(context.get(), static_cast<std::uint8_t>(port), fault)) {
      return make_ends(context.get());
    }
  }
  return fault;
}

}  // namespace

Trial try_verbs() {
  int count = 0;
  const std::unique_ptr<ibv_device*, Release> list(::ibv_get_device_list(&count));
  Trial trial = failed("libibverbs finds no device that it has a driver for",
                       "apt-get install ibverbs-providers && modprobe ib_uverbs");
  for (int i = 0; list && i < count; ++i) {
    trial = try_device(list.get()[i]);
    if (trial.works) return trial;
  }
  return trial;
}

}  // namespace lockstep::doctor
