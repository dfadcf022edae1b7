#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "lockstep/error.hpp"
#include "transports/dpdk/plugin/device.hpp"
#include "transports/dpdk/plugin_options.hpp"
#include "transports/dpdk/wire.hpp"
#include "transports/notices.hpp"

namespace lockstep::transports::dpdk {

/// Wire over the one device that is named.
class BareWire final : public Wire {
 public:
  /// Errors: configuration (not one device), and DPDK's, as DpdkPort::open.
  static Expected<std::unique_ptr<BareWire>> open(const PluginOptions& options, Notices& notices);
  ~BareWire() override;

  [[nodiscard]] std::size_t most_bytes() const noexcept override { return device_->mtu(); }
  std::byte* collect(std::size_t bytes) noexcept override;
  bool submit() noexcept override;
  std::span<const std::byte> receive() noexcept override;

 private:
  explicit BareWire(std::unique_ptr<Device> device) : device_(std::move(device)) {}
  void attend() noexcept;

  const std::unique_ptr<Device> device_;
  std::array<rte_mbuf*, Port::kBatch> frames_{};  ///< of the last burst
  std::size_t count_ = 0;                         ///< of them
  std::size_t next_ = 0;                          ///< to be given out; the one before it was last
  std::uint64_t attend_at_ = 0;
};

}  // namespace lockstep::transports::dpdk
