#include "transports/dpdk/plugin/device.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "transports/dpdk/plugin/eal.hpp"
#include "transports/dpdk/plugin/xdp_pool.hpp"
#include "transports/hello/descriptor.hpp"

namespace lockstep::transports::dpdk {
namespace {

constexpr std::string_view kPair = "pair:";
/// For the Ethernet head and what cards add to it.
constexpr std::uint16_t kHeadRoom = 64;
/// A buffer counts its bytes in 16 bits: of devices with a larger MTU no more is used.
constexpr std::uint16_t kMostMtu = UINT16_MAX - RTE_PKTMBUF_HEADROOM - kHeadRoom;
/// Kept at hand for each thread beside the pool (DPDK's mempool cache).
constexpr unsigned kAtHand = 64;
/// What net_af_packet has room for unless it is told otherwise.
constexpr unsigned long kFramesOfPacketSocket = 512;
constexpr auto kAnyNode = static_cast<unsigned>(SOCKET_ID_ANY);
/// A client of memif does not come back by itself: it is started anew after so many looks that
/// found it down.
constexpr std::uint32_t kPatience = 10;

/// The word behind `key=` among a device's arguments; empty: there is none.
std::string argument(const std::string& words, const std::string& key) {
  const std::size_t at = words.find("," + key + "=");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + key.size() + 2;
  return words.substr(begin, words.find(',', begin) - begin);
}

/// Devices that nobody uses. DPDK 22.11 cannot end one of memif and make another in one process:
/// what is left of its listener fails for ever, in a thread of DPDK's. And a card that was closed
/// is not found again. So they are kept, stopped, for the next who wants the same.
struct Parked {
  std::uint16_t port = 0;
  rte_mempool* pool = nullptr;
};
std::map<std::string, Parked>& park() {
  static auto* const by_words = new std::map<std::string, Parked>;
  return *by_words;
}

/// DPDK's lists of devices are not for two threads at once. Also of the park.
std::mutex& devices_come_and_go() {
  static auto* const one = new std::mutex;
  return *one;
}

}  // namespace

Device::Device(std::string words)
    : words_(std::move(words)),
      name_(words_.substr(0, words_.find(','))),
      interface_(argument(words_, "iface")),
      is_memif_(name_.starts_with("net_memif")),
      stays_(is_memif_ || is_pci(name_)),
      is_client_(is_memif_ && argument(words_, "role") != "server") {}

Expected<std::unique_ptr<Device>> Device::open(const std::string& words) {
  std::unique_ptr<Device> device(new Device(words));
  std::unique_lock lock(devices_come_and_go());
  for (const auto step : {&Device::attach, &Device::measure, &Device::make_pool, &Device::configure,
                          &Device::start}) {
    if (auto done = (*device.*step)(); !done) {
      device->end();
      lock.unlock();  // the device takes it once more
      return std::unexpected(done.error());
    }
  }
  return device;
}

std::unexpected<Error> Device::fault(const char* what, int error) const {
  return fail(ErrorCode::system, fmt::format("DPDK cannot {} device '{}': {}; see "
                                             "group.dpdk_devices",
                                             what, words_, rte_strerror(std::abs(error))));
}

Expected<void> Device::attach() {
  if (name_.starts_with(kPair)) {
    auto end = take_ring_pair_end(name_.substr(kPair.size()));
    if (!end) return std::unexpected(end.error());
    pair_ = *end;
    port_ = end->port;
    attached_ = true;
    return {};
  }
  if (stays_ && take_parked()) return {};
  if (!is_pci(name_)) {
    const std::size_t comma = words_.find(',');
    const std::string arguments = comma == std::string::npos ? "" : words_.substr(comma + 1);
    const int added = rte_eal_hotplug_add("vdev", name_.c_str(), arguments.c_str());
    if (added < 0) return fault("make", added);
    attached_ = true;
  }
  const int found = rte_eth_dev_get_port_by_name(name_.c_str(), &port_);
  if (found < 0) return fault("find", found);
  return {};
}

bool Device::take_parked() {
  const auto found = park().find(words_);
  if (found == park().end()) return false;
  port_ = found->second.port;
  pool_ = found->second.pool;
  park().erase(found);
  attached_ = true;
  return true;
}

Expected<void> Device::measure() {
  rte_eth_dev_info info{};
  if (const int told = rte_eth_dev_info_get(port_, &info); told < 0) return fault("ask", told);
  does_ipv4_checksums_ = (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0;
  reports_removal_ = info.dev_flags != nullptr && (*info.dev_flags & RTE_ETH_DEV_INTR_RMV) != 0;
  rte_eth_macaddr_get(port_, &mac_);
  rte_eth_dev_adjust_nb_rx_tx_desc(port_, &receive_slots_, &send_slots_);
  if (name_.starts_with("net_af_packet")) {
    const unsigned long told = std::strtoul(argument(words_, "framecnt").c_str(), nullptr, 10);
    receive_slots_ = static_cast<std::uint16_t>(
        std::min<unsigned long>(receive_slots_, told == 0 ? kFramesOfPacketSocket : told));
  }
  rte_eth_dev_get_mtu(port_, &mtu_);
  mtu_ = std::min(mtu_, kMostMtu);
  if (interface_.empty()) return {};
  interface_index_ = ::if_nametoindex(interface_.c_str());
  // The drivers over kernel interfaces do not look, and the kernel drops what is too long.
  ifreq asked{};
  interface_.copy(asked.ifr_name, sizeof asked.ifr_name - 1);
  const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (::ioctl(socket.get(), SIOCGIFMTU, &asked) == 0 && asked.ifr_mtu < mtu_) {
    mtu_ = static_cast<std::uint16_t>(asked.ifr_mtu);
  }
  return {};
}

Expected<void> Device::make_pool() {
  if (pair_) pool_ = pair_->pool;
  if (pool_ != nullptr) return {};
  static std::atomic<std::uint32_t> made{0};
  // Both queues full, what was received and is looked at, what is collected, what is at hand.
  const unsigned buffers =
      receive_slots_ + send_slots_ + 2U * static_cast<unsigned>(Port::kBatch) + 2 * kAtHand;
  const auto room = static_cast<std::uint16_t>(
      std::max<unsigned>(RTE_MBUF_DEFAULT_BUF_SIZE, RTE_PKTMBUF_HEADROOM + mtu_ + kHeadRoom));
  const std::string pool_name = fmt::format("lockstep{}", made++);
  pool_ =
      name_.starts_with("net_af_xdp")
          ? make_xdp_pool(pool_name, send_slots_, kAtHand)
          : rte_pktmbuf_pool_create(pool_name.c_str(), buffers, kAtHand, 0, room, SOCKET_ID_ANY);
  if (pool_ != nullptr) return {};
  return fail(
      ErrorCode::no_memory,
      fmt::format("DPDK has no memory for {} frames of {} bytes: {}; give it more huge pages "
                  "(sysctl -w vm.nr_hugepages=256)",
                  buffers, room, rte_strerror(rte_errno)));
}

Expected<void> Device::configure() {
  rte_eth_conf conf{};
  conf.rxmode.mtu = mtu_;
  conf.intr_conf.rmv = reports_removal_ ? 1 : 0;
  if (does_ipv4_checksums_) conf.txmode.offloads = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
  int result = rte_eth_dev_configure(port_, 1, 1, &conf);
  if (result < 0) return fault("configure", result);
  configured_ = true;
  result = rte_eth_rx_queue_setup(port_, 0, receive_slots_, kAnyNode, nullptr, pool_);
  if (result < 0) return fault("make the receive queue of", result);
  result = rte_eth_tx_queue_setup(port_, 0, send_slots_, kAnyNode, nullptr);
  if (result < 0) return fault("make the send queue of", result);
  rte_eth_dev_callback_register(port_, RTE_ETH_EVENT_INTR_RMV, &Device::removed, this);
  return {};
}

Expected<void> Device::start() {
  const int result = rte_eth_dev_start(port_);
  started_ = result == 0;
  // A client of memif starts when its server is there.
  if (!started_ && !is_memif_) return fault("start", result);
  attend();
  return {};
}

int Device::removed(std::uint16_t /*port*/, rte_eth_event_type /*event*/, void* self,
                    void* /*result*/) {
  static_cast<Device*>(self)->lost_.store(true, std::memory_order_relaxed);
  return 0;
}

Device::~Device() {
  const std::lock_guard lock(devices_come_and_go());
  end();
}

void Device::end() noexcept {
  if (std::exchange(ended_, true)) return;
  for (std::uint16_t i = 0; i < count_; ++i) rte_pktmbuf_free(collected_[i]);
  if (configured_) {
    // Not while it is being called.
    while (rte_eth_dev_callback_unregister(port_, RTE_ETH_EVENT_INTR_RMV, &Device::removed, this) ==
           -EAGAIN) {
      std::this_thread::yield();
    }
  }
  if (started_) rte_eth_dev_stop(port_);
  if (stays_ && configured_) {
    park()[words_] = {.port = port_, .pool = pool_};
    return;
  }
  if (attached_ || configured_) rte_eth_dev_close(port_);
  if (pair_) {
    rte_eal_hotplug_remove("vdev", pair_->device.c_str());
    give_back_ring_pair_end(name_.substr(kPair.size()), *pair_);
    return;
  }
  if (attached_) rte_eal_hotplug_remove("vdev", name_.c_str());
  rte_mempool_free(pool_);
}

// ---- the reactor's side ------------------------------------------------------------------------

std::byte* Device::collect(std::size_t bytes) noexcept {
  if (count_ == collected_.size()) submit();
  if (count_ == collected_.size()) return nullptr;
  rte_mbuf* const frame = rte_pktmbuf_alloc(pool_);
  if (frame == nullptr) return nullptr;
  char* const place = rte_pktmbuf_append(frame, static_cast<std::uint16_t>(bytes));
  if (place == nullptr) {
    rte_pktmbuf_free(frame);
    return nullptr;
  }
  collected_[count_++] = frame;
  return reinterpret_cast<std::byte*>(place);
}

void Device::ask_for_checksum() noexcept {
  rte_mbuf* const frame = collected_[count_ - 1U];
  frame->l2_len = sizeof(rte_ether_hdr) & 0x7f;
  frame->l3_len = sizeof(rte_ipv4_hdr) & 0x1ff;
  frame->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
}

bool Device::submit() noexcept {
  if (count_ == 0) return true;
  const std::uint16_t sent =
      started_ && up_ && !lost() ? rte_eth_tx_burst(port_, 0, collected_.data(), count_) : 0;
  std::uint16_t left = 0;
  for (std::uint16_t i = sent; i < count_; ++i) {
    // Where nobody is connected there is nothing to wait for: they are lost, as on any wire.
    if (up_ && !lost()) {
      collected_[left++] = collected_[i];
    } else {
      rte_pktmbuf_free(collected_[i]);
    }
  }
  count_ = left;
  return left == 0;
}

std::size_t Device::receive(std::span<rte_mbuf*> frames) noexcept {
  if (!started_ || lost()) return 0;
  return rte_eth_rx_burst(port_, 0, frames.data(), static_cast<std::uint16_t>(frames.size()));
}

void Device::attend() noexcept {
  if (lost()) return;
  if (!interface_.empty() && interface_is_gone()) {
    lost_.store(true, std::memory_order_relaxed);
    return;
  }
  if (!started_) started_ = rte_eth_dev_start(port_) == 0;
  if (!started_) return;
  rte_eth_link link{};
  up_ = rte_eth_link_get_nowait(port_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
  downs_ = up_ ? 0 : downs_ + 1;
  if (is_client_ && downs_ >= kPatience) restart();
}

/// Or another one has its name.
bool Device::interface_is_gone() const noexcept {
  const unsigned index = ::if_nametoindex(interface_.c_str());
  if (index == 0) return errno == ENODEV || errno == ENXIO;
  return interface_index_ != 0 && index != interface_index_;
}

void Device::restart() noexcept {
  downs_ = 0;
  rte_eth_dev_stop(port_);
  started_ = rte_eth_dev_start(port_) == 0;
}

}  // namespace lockstep::transports::dpdk
