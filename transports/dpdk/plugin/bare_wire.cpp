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

BareWire::~BareWire() {
  for (std::size_t i = next_ == 0 ? 0 : next_ - 1; i < count_; ++i) rte_pktmbuf_free(frames_[i]);
}

std::byte* BareWire::collect(std::size_t bytes) noexcept {
  thread_local const KnownThread known;
  if (!device_->up()) {
    attend();
    return nullptr;
  }
  std::byte* const frame = device_->collect(sizeof(rte_ether_hdr) + bytes);
  if (frame == nullptr) return nullptr;
  rte_ether_hdr head{};
  std::memset(head.dst_addr.addr_bytes, 0xff, sizeof head.dst_addr.addr_bytes);
  head.src_addr = device_->mac();
  head.ether_type = rte_cpu_to_be_16(kEtherType);
  std::memcpy(frame, &head, sizeof head);
  return frame + sizeof head;
}

bool BareWire::submit() noexcept { return device_->submit(); }

std::span<const std::byte> BareWire::receive() noexcept {
  if (next_ > 0) rte_pktmbuf_free(frames_[next_ - 1]);
  if (next_ == count_) {
    next_ = 0;
    count_ = device_->receive(frames_);
    if (count_ == 0) {
      attend();
      return {};
    }
  }
  rte_mbuf* const frame = frames_[next_++];
  const auto* const bytes = rte_pktmbuf_mtod(frame, const std::byte*);
  if (frame->data_len <= sizeof(rte_ether_hdr)) return {};
  return {bytes + sizeof(rte_ether_hdr), frame->data_len - sizeof(rte_ether_hdr)};
}

void BareWire::attend() noexcept {
  if (rte_rdtsc() < attend_at_) return;
  attend_at_ = rte_rdtsc() + rte_get_tsc_hz() / kAttendPerSecond;
  device_->attend();
}

}  // namespace lockstep::transports::dpdk
