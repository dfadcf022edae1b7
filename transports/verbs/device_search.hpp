#pragma once

#include "lockstep/error.hpp"
#include "transports/verbs/device.hpp"
#include "transports/verbs/handles.hpp"

namespace lockstep::transports {

/// Where to find what a DeviceChoice asks for.
struct FoundDevice {
  Handle<rdma_event_channel> address_events;  ///< of `address`; empty if none was resolved
  Handle<rdma_cm_id> address;
  Handle<ibv_context> context;
  std::uint8_t port = 0;  ///< 0: the first one that is active
};

/// By name; else by address, through librdmacm; else the usable device whose CPUs, by hwloc, have
/// `core` among them, the first by name if several do. Errors: as VerbsDevice::open.
Expected<FoundDevice> find_device(const DeviceChoice& choice);

/// The first port of a device that is up; 0 if none is.
[[nodiscard]] std::uint8_t active_port(ibv_context* context) noexcept;

}  // namespace lockstep::transports
