#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lockstep/error.hpp"
#include "transports/packet/packet.hpp"

namespace lockstep::transports {

/// What one end of a link over UDP tells the other. Exchanged once, by the hello; sealed with it
/// where the group has a key.
struct UdpParameters {
  std::uint16_t port = 0;          ///< at the address of this end of the hello's connection
  std::uint32_t credit = 0;        ///< packets that there is room for, 1 to kMostOutstanding
  std::uint32_t packet_bytes = 0;  ///< of the largest packet that is taken
  packet::LinkSecret secret;       ///< of what this end sends

  bool operator==(const UdpParameters&) const = default;
};

[[nodiscard]] std::string encode(const UdpParameters& parameters);

/// Reads what `encode` wrote; anything may arrive. Error: mismatch, naming the field.
Expected<UdpParameters> decode_udp_parameters(std::string_view text);

}  // namespace lockstep::transports
