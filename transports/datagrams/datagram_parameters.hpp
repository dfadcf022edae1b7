#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lockstep/error.hpp"
#include "transports/packet/packet.hpp"

namespace lockstep::transports {

/// What one end of a link over datagrams tells the other. Exchanged once, by the hello; sealed with
/// it where the group has a key.
struct DatagramParameters {
  std::string place{};             ///< Port::place of this end
  std::uint32_t credit = 0;        ///< packets that there is room for, 1 to kMostOutstanding
  std::uint32_t packet_bytes = 0;  ///< of the largest packet that is taken
  packet::LinkSecret secret{};     ///< of what this end sends

  bool operator==(const DatagramParameters&) const = default;
};

[[nodiscard]] std::string encode(const DatagramParameters& parameters);

/// Reads what `encode` wrote; anything may arrive. Error: mismatch, naming the field.
Expected<DatagramParameters> decode_datagram_parameters(std::string_view text);

}  // namespace lockstep::transports
