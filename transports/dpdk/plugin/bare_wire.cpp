#include "transports/dpdk/plugin/bare_wire.hpp"

#include <fmt/format.h>
#include <rte_byteorder.h>
#include <rte_cycles.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include <cstring>

#include "transports/dpdk/plugin/eal.hpp"
#include "transports/dpdk/plugin/known_thread.hpp"

namespace lockstep::transports::dpdk {
namespace {

/// For local experiments (IEEE 802); a kernel drops it.
constexpr std::uint16_t kEtherType = 0x88B6;
constexpr std::uint64_t kAttendPerSecond = 50;

}  // namespace

Expected<std::unique_ptr<BareWire>> BareWire::open(const PluginOptions& options, Notices& notices) {
  if (options.devices.size() != 1) {
    return fail(ErrorCode::configuration,
                fmt::format("a bare wire is one DPDK device, not {}", options.devices.size()));
  }
  if (auto begun = start_eal(options, notices); !begun) return std::unexpected(begun.error());
  auto device = Device::open(options.devices[0]);
  if (!device) return std::unexpected(device.error());
  return std::unique_ptr<BareWire>(new BareWire(std::move(*device)));
}

BareWire::~BareWire() { rte_pktmbuf_free(frame_[0]); }

bool BareWire::send(std::span<const std::byte> payload) noexcept {
  thread_local const KnownThread known;
  if (!device_->up()) {
    attend();
    return false;
  }
  std::byte* const frame = device_->collect(sizeof(rte_ether_hdr) + payload.size());
  if (frame == nullptr) return false;
  rte_ether_hdr head{};
  std::memset(head.dst_addr.addr_bytes, 0xff, sizeof head.dst_addr.addr_bytes);
  head.src_addr = device_->mac();
  head.ether_type = rte_cpu_to_be_16(kEtherType);
  std::memcpy(frame, &head, sizeof head);
  std::memcpy(frame + sizeof head, payload.data(), payload.size());
  device_->submit();
  return true;
}

std::span<const std::byte> BareWire::receive() noexcept {
  if (frame_[0] != nullptr) rte_pktmbuf_free(frame_[0]);
  frame_[0] = nullptr;
  if (device_->receive(frame_) == 0) {
    attend();
    return {};
  }
  const auto* const bytes = rte_pktmbuf_mtod(frame_[0], const std::byte*);
  if (frame_[0]->data_len <= sizeof(rte_ether_hdr)) return {};
  return {bytes + sizeof(rte_ether_hdr), frame_[0]->data_len - sizeof(rte_ether_hdr)};
}

void BareWire::attend() noexcept {
  if (rte_rdtsc() < attend_at_) return;
  attend_at_ = rte_rdtsc() + rte_get_tsc_hz() / kAttendPerSecond;
  device_->attend();
}

}  // namespace lockstep::transports::dpdk
