#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lockstep/error.hpp"
#include "transports/verbs/gid_choice.hpp"

namespace lockstep::transports {

/// What one end of a link tells the other, so that each can connect its queue pair to the other's
/// and write into the other's region. Exchanged once, by the hello.
struct VerbsParameters {
  std::uint32_t queue_pair = 0;     ///< 24 bits
  std::uint32_t packet_number = 0;  ///< the first one this end sends; 24 bits
  bool ethernet = true;             ///< RoCE; else InfiniBand
  std::uint16_t lid = 0;            ///< InfiniBand only
  Gid gid{};                        ///< RoCE only
  std::uint8_t path_mtu = 0;        ///< enum ibv_mtu: 1 is 256 bytes, 5 is 4096
  bool keeps_order = false;        ///< this end's device writes one message from the lowest byte up
  std::uint64_t region_bytes = 0;  ///< of one copy
  std::uint64_t region_address = 0;
  std::uint32_t region_key = 0;

  bool operator==(const VerbsParameters&) const = default;
};

/// No text of parameters is longer.
inline constexpr std::size_t kMostParameterBytes = 512;

/// One line of printable text, at most kMostParameterBytes.
[[nodiscard]] std::string encode(const VerbsParameters& parameters);

/// Reads what `encode` wrote; anything may arrive. Every value is checked for its range, not for
/// its truth: a wrong key only breaks the link of who sent it. Errors: mismatch, naming the version
/// or the field.
Expected<VerbsParameters> decode(std::string_view text);

}  // namespace lockstep::transports
