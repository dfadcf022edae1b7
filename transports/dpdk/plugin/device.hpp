#pragma once

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "lockstep/error.hpp"
#include "transports/datagrams/port.hpp"
#include "transports/dpdk/plugin/ring_pair.hpp"

namespace lockstep::transports::dpdk {

/// One Ethernet port of DPDK's with one queue each way, which its reactor alone uses.
///
/// `open` and the end block; the reactor's thread only.
class Device {
 public:
  /// `words`: see PluginOptions::devices. EAL runs. Errors: configuration, no_memory, system.
  static Expected<std::unique_ptr<Device>> open(const std::string& words);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  [[nodiscard]] const rte_ether_addr& mac() const noexcept { return mac_; }
  /// What a frame may carry behind its Ethernet head.
  [[nodiscard]] std::size_t mtu() const noexcept { return mtu_; }
  /// Frames that it holds until they are looked at.
  [[nodiscard]] std::uint32_t receive_slots() const noexcept { return receive_slots_; }
  [[nodiscard]] bool does_ipv4_checksums() const noexcept { return does_ipv4_checksums_; }

  /// Room for a frame of `bytes`; null: there is none now. It is sent with the next `submit`.
  std::byte* collect(std::size_t bytes) noexcept;
  /// The frame that `collect` gave last: the card is to do the checksum of its IPv4 head.
  void ask_for_checksum() noexcept;
  /// False: some frames had to stay.
  bool submit() noexcept;
  std::size_t receive(std::span<rte_mbuf*> frames) noexcept;

  /// Looks after it, now and then: who connects, who is gone.
  void attend() noexcept;
  /// Somebody is at the other end, when it was looked after last.
  [[nodiscard]] bool up() const noexcept { return started_ && up_; }
  /// It is gone for good.
  [[nodiscard]] bool lost() const noexcept { return lost_.load(std::memory_order_relaxed); }

 private:
  explicit Device(std::string words);
  Expected<void> attach();
  Expected<void> measure();
  [[nodiscard]] bool interface_is_gone() const noexcept;
  bool take_parked();
  void end() noexcept;
  Expected<void> make_pool();
  Expected<void> configure();
  Expected<void> start();
  void restart() noexcept;
  [[nodiscard]] std::unexpected<Error> fault(const char* what, int error) const;
  static int removed(std::uint16_t port, rte_eth_event_type event, void* self, void* result);

  const std::string words_;
  const std::string name_;
  const std::string interface_;  ///< of the kernel's, below it; empty: none
  const bool is_memif_;
  const bool stays_;      ///< its device outlives it, parked
  const bool is_client_;  ///< of memif
  std::optional<RingPairEnd> pair_;
  unsigned interface_index_ = 0;  ///< when it was opened; 0: not known
  std::uint16_t port_ = 0;
  bool ended_ = false;
  bool attached_ = false;
  bool configured_ = false;
  bool started_ = false;
  bool up_ = false;
  std::uint32_t downs_ = 0;  ///< looks in a row that found it down
  std::atomic<bool> lost_{false};
  rte_mempool* pool_ = nullptr;
  rte_ether_addr mac_{};
  std::uint16_t mtu_ = 0;
  std::uint16_t receive_slots_ = 1'024;
  std::uint16_t send_slots_ = 1'024;
  bool does_ipv4_checksums_ = false;
  bool reports_removal_ = false;
  std::array<rte_mbuf*, Port::kBatch> collected_{};
  std::uint16_t count_ = 0;
};

}  // namespace lockstep::transports::dpdk
