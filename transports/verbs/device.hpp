#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "lockstep/error.hpp"
#include "transports/transport.hpp"
#include "transports/verbs/gid_choice.hpp"
#include "transports/verbs/handles.hpp"

namespace lockstep::transports {

/// Which device to use.
struct DeviceChoice {
  std::string address = {};  ///< local IP literal whose RDMA device is used; empty: the nearest one
  std::string device = {};   ///< by name ("rxe1") instead; empty: automatic
  int gid_index = -1;        ///< of the RoCE v2 GID; -1: that of `address`, or a routable one
  std::int32_t core = -1;    ///< CPU whose NUMA node a device should be near; -1: any
};

/// Something that ends links: of one queue pair, or all of the device.
struct DeviceEvent {
  ibv_qp* queue_pair = nullptr;  ///< null: every link is concerned
  DownReason reason = DownReason::link_failed;
};

/// An RDMA device in use: context, protection domain, one port, one GID; and what happens to them.
///
/// The address is resolved by librdmacm (rdma_bind_addr(3)), which also reports when it moves; the
/// context is this object's own, so two members in one process do not take each other's events.
/// One thread; opening blocks, nothing after it does.
class VerbsDevice {
 public:
  /// Errors: not_supported (no RDMA device here; iWARP, which does not keep the order of writes),
  /// configuration (no device has the address or the name, no such GID, port down),
  /// invalid_argument, system. Each names what there is.
  static Expected<VerbsDevice> open(const DeviceChoice& choice);

  [[nodiscard]] ibv_context* context() const noexcept { return context_.get(); }
  [[nodiscard]] ibv_pd* domain() const noexcept { return domain_.get(); }
  [[nodiscard]] std::string name() const { return ::ibv_get_device_name(context_->device); }
  [[nodiscard]] std::uint8_t port() const noexcept { return port_; }
  [[nodiscard]] const ibv_port_attr& port_state() const noexcept { return port_state_; }
  [[nodiscard]] const ibv_device_attr& limits() const noexcept { return limits_; }
  [[nodiscard]] bool is_ethernet() const noexcept {
    return port_state_.link_layer == IBV_LINK_LAYER_ETHERNET;
  }
  /// Zero on InfiniBand.
  [[nodiscard]] const Gid& gid() const noexcept { return gid_; }
  [[nodiscard]] std::uint8_t gid_index() const noexcept { return gid_index_; }
  /// "rxe1 port 1, 10.77.0.1 (GID index 1)", for people.
  [[nodiscard]] std::string text() const;

  /// `error` (errno) of a call that pins memory, in words: RLIMIT_MEMLOCK too if it may be the
  /// cause.
  [[nodiscard]] static std::string text_of_error(int error);

  /// Makes memory known to the device; never with relaxed ordering, which would let one write
  /// overtake another. `access`: enum ibv_access_flags. The memory must outlive the handle.
  /// Errors: no_memory (RLIMIT_MEMLOCK, and how to raise it), system.
  [[nodiscard]] Expected<Handle<ibv_mr>> register_memory(std::span<std::byte> memory,
                                                         unsigned access,
                                                         const char* purpose) const;

  /// Readable when next_event has something. The second is -1 if no address was resolved.
  [[nodiscard]] int event_descriptor() const noexcept { return context_->async_fd; }
  [[nodiscard]] int address_descriptor() const noexcept {
    return address_events_ ? address_events_->fd : -1;
  }
  /// The next event that ends links; nothing when there is none. Does not block. A system call or
  /// two: not for every turn.
  [[nodiscard]] std::optional<DeviceEvent> next_event() noexcept;

 private:
  Expected<void> choose_port();
  Expected<void> choose_address(const DeviceChoice& choice);
  [[nodiscard]] bool gid_is_gone() const noexcept;
  [[nodiscard]] std::optional<DeviceEvent> meaning_of(const ibv_async_event& event) const noexcept;
  [[nodiscard]] std::optional<DeviceEvent> next_address_event() noexcept;

  Handle<rdma_event_channel> address_events_;
  Handle<rdma_cm_id> address_;
  Handle<ibv_context> context_;
  Handle<ibv_pd> domain_;
  std::uint8_t port_ = 0;  ///< 0: the first one that is active
  ibv_port_attr port_state_{};
  ibv_device_attr limits_{};
  Gid gid_{};
  std::uint8_t gid_index_ = 0;
};

}  // namespace lockstep::transports
