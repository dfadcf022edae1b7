#include "transports/verbs/device.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "transports/verbs/device_search.hpp"

namespace lockstep::transports {
namespace {

/// GID entries looked at; more than any port has of use (mlx5: 256).
constexpr std::size_t kMostGids = 1'024;

bool make_non_blocking(int descriptor) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  return flags >= 0 && ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0;
}

std::vector<ibv_gid_entry> gid_table(ibv_context* context, std::uint8_t port) {
  std::vector<ibv_gid_entry> table(kMostGids);
  const ssize_t count = ::ibv_query_gid_table(context, table.data(), table.size(), 0);
  table.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  // An address handle holds the index in 8 bits.
  std::erase_if(table, [&](const ibv_gid_entry& entry) {
    return entry.port_num != port || entry.gid_index > std::numeric_limits<std::uint8_t>::max();
  });
  return table;
}

}  // namespace

Expected<VerbsDevice> VerbsDevice::open(const DeviceChoice& choice) {
  auto found = find_device(choice);
  if (!found) return std::unexpected(found.error());
  VerbsDevice device;
  device.address_events_ = std::move(found->address_events);
  device.address_ = std::move(found->address);
  device.context_ = std::move(found->context);
  device.port_ = found->port;
  if (auto port = device.choose_port(); !port) return std::unexpected(port.error());
  if (auto address = device.choose_address(choice); !address) {
    return std::unexpected(address.error());
  }
  device.domain_.reset(::ibv_alloc_pd(device.context()));
  bool ready = device.domain_ != nullptr && make_non_blocking(device.event_descriptor());
  if (device.address_events_) ready = ready && make_non_blocking(device.address_descriptor());
  if (!ready) {
    return fail(ErrorCode::system, fmt::format("RDMA device {} cannot be set up: {}", device.name(),
                                               std::strerror(errno)));
  }
  return device;
}

Expected<void> VerbsDevice::choose_port() {
  if (context_->device->transport_type != IBV_TRANSPORT_IB) {
    return fail(
        ErrorCode::not_supported,
        fmt::format("{} is neither RoCE nor InfiniBand (iWARP may place writes out of order "
                    "and more than once, RFC 5041); use another device, or the tcp "
                    "transport",
                    name()));
  }
  const bool any = port_ == 0;
  if (any) port_ = std::max<std::uint8_t>(active_port(context()), 1);
  if (const int error = ::ibv_query_device(context(), &limits_); error != 0) {
    return fail(ErrorCode::system,
                fmt::format("the limits of {} cannot be read: {}", name(), std::strerror(error)));
  }
  if (const int error = ::ibv_query_port(context(), port_, &port_state_); error != 0) {
    return fail(ErrorCode::system, fmt::format("the state of port {} of {} cannot be read: {}",
                                               port_, name(), std::strerror(error)));
  }
  if (port_state_.state == IBV_PORT_ACTIVE) return {};
  return fail(ErrorCode::configuration,
              fmt::format("port {} of {} is down ({}); bring its network interface up (ip link set "
                          "NAME up; 'rdma link' says which), or check the cable",
                          port_, name(), ::ibv_port_state_str(port_state_.state)));
}

Expected<void> VerbsDevice::choose_address(const DeviceChoice& choice) {
  if (!is_ethernet()) return {};
  std::optional<Gid> wanted;
  if (!choice.address.empty()) {
    auto gid = gid_of_address(choice.address);
    if (!gid) return std::unexpected(gid.error());
    wanted = *gid;
  }
  const std::vector<ibv_gid_entry> table = gid_table(context(), port_);
  auto entry = choose_gid(table, choice.gid_index, wanted, name());
  if (!entry) return std::unexpected(entry.error());
  std::memcpy(gid_.data(), entry->gid.raw, gid_.size());
  gid_index_ = static_cast<std::uint8_t>(entry->gid_index);
  return {};
}

std::string VerbsDevice::text() const {
  if (!is_ethernet()) return fmt::format("{} port {}, LID {}", name(), port_, port_state_.lid);
  return fmt::format("{} port {}, {} (GID index {})", name(), port_, text_of(gid_), gid_index_);
}

Expected<Handle<ibv_mr>> VerbsDevice::register_memory(std::span<std::byte> memory, unsigned access,
                                                      const char* purpose) const {
  Handle<ibv_mr> region(::ibv_reg_mr(domain(), memory.data(), memory.size(), access));
  if (region) return region;
  const int error = errno;
  return fail(error == ENOMEM ? ErrorCode::no_memory : ErrorCode::system,
              fmt::format("{}: {} bytes cannot be registered with {}: {}", purpose, memory.size(),
                          name(), text_of_error(error)));
}

std::string VerbsDevice::text_of_error(int error) {
  if (error != ENOMEM) return std::strerror(error);
  rlimit limit{};
  ::getrlimit(RLIMIT_MEMLOCK, &limit);
  return fmt::format(
      "{}; RLIMIT_MEMLOCK is {} bytes, and all that a device reads or writes counts: "
      "raise it (ulimit -l unlimited, or LimitMEMLOCK=infinity of the service), or "
      "use smaller rings",
      std::strerror(error), limit.rlim_cur);
}

std::optional<DeviceEvent> VerbsDevice::next_event() noexcept {
  ibv_async_event event{};
  while (::ibv_get_async_event(context(), &event) == 0) {
    // Acknowledged before it is acted upon: a queue pair cannot be destroyed until then.
    const std::optional<DeviceEvent> meaning = meaning_of(event);
    ::ibv_ack_async_event(&event);
    if (meaning) return meaning;
  }
  return next_address_event();
}

std::optional<DeviceEvent> VerbsDevice::meaning_of(const ibv_async_event& event) const noexcept {
  switch (event.event_type) {
    case IBV_EVENT_QP_FATAL:
    case IBV_EVENT_QP_REQ_ERR:
    case IBV_EVENT_QP_ACCESS_ERR:
    case IBV_EVENT_PATH_MIG_ERR:
      return DeviceEvent{.queue_pair = event.element.qp, .reason = DownReason::link_failed};
    case IBV_EVENT_CQ_ERR:
      return DeviceEvent{.queue_pair = nullptr, .reason = DownReason::link_failed};
    case IBV_EVENT_DEVICE_FATAL:
      return DeviceEvent{.queue_pair = nullptr, .reason = DownReason::device_lost};
    case IBV_EVENT_PORT_ERR:
      if (event.element.port_num != port_) return std::nullopt;
      return DeviceEvent{.queue_pair = nullptr, .reason = DownReason::port_down};
    case IBV_EVENT_GID_CHANGE:
    case IBV_EVENT_LID_CHANGE:
      if (event.element.port_num != port_ || !gid_is_gone()) return std::nullopt;
      return DeviceEvent{.queue_pair = nullptr, .reason = DownReason::address_changed};
    default:
      return std::nullopt;
  }
}

bool VerbsDevice::gid_is_gone() const noexcept {
  if (!is_ethernet()) {
    ibv_port_attr now{};
    return ::ibv_query_port(context(), port_, &now) != 0 || now.lid != port_state_.lid;
  }
  ibv_gid now{};
  return ::ibv_query_gid(context(), port_, gid_index_, &now) != 0 ||
         std::memcmp(now.raw, gid_.data(), gid_.size()) != 0;
}

std::optional<DeviceEvent> VerbsDevice::next_address_event() noexcept {
  rdma_cm_event* event = nullptr;
  while (address_events_ && ::rdma_get_cm_event(address_events_.get(), &event) == 0) {
    const rdma_cm_event_type type = event->event;
    ::rdma_ack_cm_event(event);
    if (type == RDMA_CM_EVENT_ADDR_CHANGE) {
      return DeviceEvent{.queue_pair = nullptr, .reason = DownReason::address_changed};
    }
    if (type == RDMA_CM_EVENT_DEVICE_REMOVAL) {
      return DeviceEvent{.queue_pair = nullptr, .reason = DownReason::device_lost};
    }
  }
  return std::nullopt;
}

}  // namespace lockstep::transports
