#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lockstep/error.hpp"
#include "transports/datagrams/port.hpp"

namespace lockstep::transports::dpdk {

/// What stands in front of a packet on the wire.
enum class Encapsulation : std::uint8_t {
  ethernet,  ///< an Ethernet head alone, of a type for local use (IEEE 802, 0x88B5)
  udp,       ///< IP and UDP heads behind it: for networks that route, or spread by flows
};

/// An IP address, as in the heads of packets.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  bool six = false;  ///< else the first four bytes count

  bool operator==(const IpAddress&) const = default;
};

struct PluginOptions {
  /// What members are reached by: DPDK's words for virtual devices ("net_memif0,role=server"), PCI
  /// addresses, and "pair:NAME", which joins the two members of one process that name it.
  std::vector<std::string> devices;
  std::vector<std::string> eal;  ///< more arguments for DPDK's environment
  Encapsulation encapsulation = Encapsulation::ethernet;
  IpAddress address;           ///< of this member
  std::uint16_t udp_port = 0;  ///< with Encapsulation::udp
  std::uint32_t peers = 1;
  std::string prefix;  ///< tells this process's files from others', where there are any
};

/// The plug-in's entries: a port, or a wire of one device; or null and why. Both sides are built
/// from one tree: `layout` tells when they are not.
inline constexpr std::uint32_t kPluginLayout = 4;
template <class T>
using PluginOpen = T* (*)(std::uint32_t layout, const PluginOptions& options, Notices& notices,
                          Error& why);
inline constexpr const char* kOpenPort = "lockstep_dpdk_open";
inline constexpr const char* kOpenWire = "lockstep_dpdk_open_wire";

}  // namespace lockstep::transports::dpdk
