#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "transports/datagrams/port.hpp"
#include "transports/dpdk/plugin/device.hpp"
#include "transports/dpdk/plugin/frame.hpp"
#include "transports/dpdk/plugin_options.hpp"
#include "transports/hello/descriptor.hpp"

namespace lockstep::transports::dpdk {

/// Packets by bursts of Ethernet frames, over one device or several: memif joins two processes
/// only, so a member of three has one to each. Where it is not clear which of them leads to a peer,
/// packets go to all, until one that the peer sealed has come by one of them.
class DpdkPort final : public Port {
 public:
  /// Errors: those of start_eal and Device::open.
  static Expected<std::unique_ptr<DpdkPort>> open(const PluginOptions& options, Notices& notices);
  ~DpdkPort() override;

  [[nodiscard]] Medium medium() const noexcept override { return Medium::dpdk; }
  [[nodiscard]] std::string place() const override;
  Expected<std::unique_ptr<Destination>> find(const std::string& host,
                                              std::string_view place) const override;
  [[nodiscard]] std::size_t packet_bytes_to(const Destination& to) const override;
  [[nodiscard]] std::size_t most_packet_bytes() const noexcept override;
  [[nodiscard]] std::uint32_t credit() const noexcept override;
  bool collect(std::span<const std::byte> packet, const Destination& to) noexcept override;
  void submit() noexcept override;
  std::span<const Received> receive() noexcept override;
  /// Frames that were none of ours count: behind them may be some that are.
  [[nodiscard]] bool more() const noexcept override { return frame_count_ == kBatch; }
  void heard(Destination& to, std::uint64_t from) noexcept override;
  [[nodiscard]] bool lost_something() const noexcept override { return lost_something_; }
  [[nodiscard]] bool reaches(const Destination& to) const noexcept override;
  [[nodiscard]] int descriptor() const noexcept override { return alarm_.get(); }
  void announce_sleep() noexcept override;

 private:
  struct There;

  DpdkPort(const PluginOptions& options, Descriptor alarm)
      : options_(options), alarm_(std::move(alarm)) {}
  void let_go() noexcept;
  void attend() noexcept;
  void take(rte_mbuf* frame, std::size_t device) noexcept;
  bool collect_on(std::size_t device, std::span<const std::byte> packet, const Way& to) noexcept;
  [[nodiscard]] Way way_of(std::size_t device) const noexcept {
    return {.mac = devices_[device]->mac(), .ip = options_.address, .udp_port = options_.udp_port};
  }

  const PluginOptions options_;
  const Descriptor alarm_;  ///< a timer: nothing else wakes who sleeps
  std::vector<std::unique_ptr<Device>> devices_;
  std::array<rte_mbuf*, kBatch> frames_{};  ///< what `receive` gave last is in them
  std::size_t frame_count_ = 0;
  std::array<Received, kBatch> received_{};
  std::size_t received_count_ = 0;
  std::size_t first_ = 0;  ///< the device that is looked at first
  std::uint64_t attend_at_ = 0;
  bool lost_something_ = false;
};

}  // namespace lockstep::transports::dpdk
