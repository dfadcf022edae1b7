#include "transports/dpdk/plugin/dpdk_port.hpp"

#include <fmt/format.h>
#include <rte_cycles.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "transports/dpdk/plugin/eal.hpp"
#include "transports/dpdk/plugin/known_thread.hpp"
#include "transports/packet/packet.hpp"

namespace lockstep::transports::dpdk {
namespace {

static_assert(std::endian::native == std::endian::little);

/// How often devices are looked after: 50 times a second.
constexpr std::uint64_t kAttendPerSecond = 50;
/// A reactor that may sleep does so for this long at most: nothing wakes it. About as short as
/// Linux makes a sleep.
constexpr long kMostSleepNs = 50'000;

/// What a member says of itself. As it travels, little-endian.
struct Place {
  std::uint32_t version = 1;
  std::uint16_t devices = 0;
  std::uint16_t udp_port = 0;
  std::array<std::uint8_t, 16> ip{};
  std::array<std::uint8_t, 6> mac{};  ///< of the first device
  std::uint8_t six = 0;
  std::uint8_t encapsulation = 0;
};
static_assert(sizeof(Place) == 32 && sizeof(Place) <= Port::kMostPlaceBytes);

/// Received::from: the device, and the address of who sent it.
std::uint64_t from_word(std::size_t device, const rte_ether_addr& mac) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, mac.addr_bytes, sizeof mac.addr_bytes);
  return word | static_cast<std::uint64_t>(device) << 48U;
}

constexpr rte_ether_addr kEverybody{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

}  // namespace

struct DpdkPort::There final : Destination {
  std::size_t device = 0;  ///< if it is known
  Way way{.mac = kEverybody, .ip = {}};
};

Expected<std::unique_ptr<DpdkPort>> DpdkPort::open(const PluginOptions& options, Notices& notices) {
  if (options.devices.empty()) {
    return fail(ErrorCode::configuration,
                "no DPDK device is named; set group.dpdk_devices, for two processes of one host to "
                "[\"net_memif0,role=server,id=0,socket=lockstep,socket-abstract=yes\"], and to "
                "role=client at the other");
  }
  if (auto begun = start_eal(options, notices); !begun) return std::unexpected(begun.error());
  Descriptor alarm(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!alarm.open()) {
    return fail(ErrorCode::system,
                fmt::format("no timer: {}; raise the limit of open files (ulimit "
                            "-n) if it is reached",
                            std::strerror(errno)));
  }
  std::unique_ptr<DpdkPort> port(new DpdkPort(options, std::move(alarm)));
  for (const std::string& words : options.devices) {
    auto device = Device::open(words);
    if (!device) return std::unexpected(device.error());
    port->devices_.push_back(std::move(*device));
  }
  notices.add(
      "DPDK ports are polled: with idle = \"backoff\" a sleeping reactor looks every 50 us; "
      "give it a CPU of its own and idle = \"spin\"");
  return port;
}

DpdkPort::~DpdkPort() { let_go(); }

// ---- where members are -------------------------------------------------------------------------

std::string DpdkPort::place() const {
  Place place{.devices = static_cast<std::uint16_t>(devices_.size()),
              .udp_port = options_.udp_port,
              .ip = options_.address.bytes,
              .six = options_.address.six,
              .encapsulation = static_cast<std::uint8_t>(options_.encapsulation)};
  std::memcpy(place.mac.data(), devices_[0]->mac().addr_bytes, place.mac.size());
  std::string text(sizeof place, '\0');
  std::memcpy(text.data(), &place, sizeof place);
  return text;
}

Expected<std::unique_ptr<Destination>> DpdkPort::find(const std::string& /*host*/,
                                                      std::string_view text) const {
  Place place;
  if (text.size() == sizeof place) std::memcpy(&place, text.data(), sizeof place);
  const bool whole = text.size() == sizeof place && place.version == 1 && place.devices > 0;
  const auto mine = static_cast<std::uint8_t>(options_.encapsulation);
  if (!whole || place.encapsulation != mine || (place.six != 0) != options_.address.six) {
    return fail(
        ErrorCode::mismatch,
        "the peer sends other frames over DPDK than this member; make "
        "group.dpdk_encapsulation and the IP version of group.addresses the same everywhere, "
        "and run one release of Lockstep");
  }
  auto there = std::make_unique<There>();
  there->way.ip = {.bytes = place.ip, .six = place.six != 0};
  there->way.udp_port = place.udp_port;
  // One device here and one there: that is the way. Else a packet has to come first.
  there->known = devices_.size() == 1 && place.devices == 1;
  if (there->known) std::memcpy(there->way.mac.addr_bytes, place.mac.data(), place.mac.size());
  return there;
}

void DpdkPort::heard(Destination& to, std::uint64_t from) noexcept {
  auto& there = static_cast<There&>(to);
  there.device = static_cast<std::size_t>(from >> 48U);
  std::memcpy(there.way.mac.addr_bytes, &from, sizeof there.way.mac.addr_bytes);
  there.known = true;
}

std::size_t DpdkPort::most_packet_bytes() const noexcept {
  std::size_t least = packet::kMostPacketBytes;
  const std::size_t heads = head_bytes(options_.encapsulation, options_.address.six);
  for (const auto& device : devices_) {
    least = std::min(least, device->mtu() + sizeof(rte_ether_hdr) - heads);
  }
  return std::max(packet::kLeastPacketBytes, least / 8 * 8);
}

std::size_t DpdkPort::packet_bytes_to(const Destination& /*to*/) const {
  return most_packet_bytes();
}

std::uint32_t DpdkPort::credit() const noexcept {
  // All peers may come by one device, and a quarter is for what is sent again.
  std::uint32_t slots = packet::kMostOutstanding * options_.peers * 2;
  for (const auto& device : devices_) slots = std::min(slots, device->receive_slots());
  return std::clamp(slots * 3 / 4 / options_.peers, 4U, packet::kMostOutstanding);
}

bool DpdkPort::reaches(const Destination& to) const noexcept {
  const auto& there = static_cast<const There&>(to);
  if (there.known) return !devices_[there.device]->lost();
  return std::ranges::any_of(devices_, [](const auto& device) { return !device->lost(); });
}

// ---- the reactor's side ------------------------------------------------------------------------

void DpdkPort::announce_sleep() noexcept {
  // Setting it forgets that it rang before (timerfd_create(2)).
  const itimerspec once{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = kMostSleepNs}};
  ::timerfd_settime(alarm_.get(), 0, &once, nullptr);
}

bool DpdkPort::collect(std::span<const std::byte> packet, const Destination& to) noexcept {
  const auto& there = static_cast<const There&>(to);
  if (there.known) return collect_on(there.device, packet, there.way);
  bool taken = false;
  for (std::size_t device = 0; device < devices_.size(); ++device) {
    taken |= collect_on(device, packet, there.way);
  }
  return taken;
}

bool DpdkPort::collect_on(std::size_t index, std::span<const std::byte> packet,
                          const Way& to) noexcept {
  Device& device = *devices_[index];
  const std::size_t heads = head_bytes(options_.encapsulation, to.ip.six);
  std::byte* const frame = device.collect(heads + packet.size());
  if (frame == nullptr) return false;
  const bool by_card =
      options_.encapsulation == Encapsulation::udp && !to.ip.six && device.does_ipv4_checksums();
  write_frame(frame, options_.encapsulation, way_of(index), to, packet, by_card);
  if (by_card) device.ask_for_checksum();
  return true;
}

void DpdkPort::submit() noexcept {
  for (const auto& device : devices_) device->submit();
}

std::span<const Received> DpdkPort::receive() noexcept {
  thread_local const KnownThread known;
  let_go();
  received_count_ = 0;
  if (rte_rdtsc() >= attend_at_) attend();
  for (std::size_t i = 0; i < devices_.size() && frame_count_ < kBatch; ++i) {
    const std::size_t index = (first_ + i) % devices_.size();
    const std::size_t before = frame_count_;
    frame_count_ += devices_[index]->receive(std::span(frames_).subspan(before));
    for (std::size_t frame = before; frame < frame_count_; ++frame) take(frames_[frame], index);
  }
  if (devices_.size() > 1) first_ = (first_ + 1) % devices_.size();
  return std::span(received_).first(received_count_);
}

/// Frames of several pieces come from nobody who speaks to us: all is in one.
void DpdkPort::take(rte_mbuf* frame, std::size_t device) noexcept {
  const auto* const bytes = rte_pktmbuf_mtod(frame, const std::byte*);
  if (frame->nb_segs != 1) return;
  const auto packet = packet_in({bytes, frame->data_len}, options_.encapsulation, way_of(device));
  if (!packet) return;
  rte_ether_addr from;
  std::memcpy(&from, bytes + offsetof(rte_ether_hdr, src_addr), sizeof from);
  received_[received_count_++] = {.packet = *packet, .from = from_word(device, from)};
}

void DpdkPort::let_go() noexcept {
  for (std::size_t i = 0; i < frame_count_; ++i) rte_pktmbuf_free(frames_[i]);
  frame_count_ = 0;
}

void DpdkPort::attend() noexcept {
  attend_at_ = rte_rdtsc() + rte_get_tsc_hz() / kAttendPerSecond;
  for (const auto& device : devices_) {
    device->attend();
    lost_something_ |= device->lost();
  }
}

}  // namespace lockstep::transports::dpdk
