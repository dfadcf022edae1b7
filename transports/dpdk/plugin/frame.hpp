#pragma once

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "transports/dpdk/plugin_options.hpp"

namespace lockstep::transports::dpdk {

/// The type of Ethernet frames that IEEE keeps for local experiments.
inline constexpr std::uint16_t kEtherType = 0x88b5;

/// Where a frame comes from or goes to.
struct Way {
  rte_ether_addr mac{};
  IpAddress ip{};
  std::uint16_t udp_port = 0;
};

/// The bytes in front of a packet.
[[nodiscard]] std::size_t head_bytes(Encapsulation encapsulation, bool six) noexcept;

/// Writes a frame: heads, and the packet behind them. `place` has room for both. `by_card`: the
/// card does the checksum of the IPv4 head.
void write_frame(std::byte* place, Encapsulation encapsulation, const Way& from, const Way& to,
                 std::span<const std::byte> packet, bool by_card) noexcept;

/// The packet in a frame: nothing if it is none for `to`, and an empty one if it is and not all of
/// it came. Anything may have come.
[[nodiscard]] std::optional<std::span<const std::byte>> packet_in(std::span<const std::byte> frame,
                                                                  Encapsulation encapsulation,
                                                                  const Way& to) noexcept;

}  // namespace lockstep::transports::dpdk
