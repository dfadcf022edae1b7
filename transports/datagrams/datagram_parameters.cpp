#include "transports/datagrams/datagram_parameters.hpp"

#include <fmt/format.h>

#include <cstring>

#include "runtime/assert.hpp"
#include "transports/datagrams/port.hpp"

namespace lockstep::transports {
namespace {

constexpr std::uint32_t kVersion = 0x3250444c;  // "LDP2"

/// As it travels. Little-endian.
struct Packed {
  std::uint32_t version = kVersion;
  std::uint16_t place_bytes = 0;
  std::uint16_t credit = 0;
  std::uint32_t packet_bytes = 0;
  std::uint32_t reserved = 0;
  std::uint64_t seed = 0;
};
static_assert(sizeof(Packed) == 24);

std::unexpected<Error> malformed(std::string_view what) {
  return fail(ErrorCode::mismatch,
              fmt::format("the peer's parameters of packets are malformed: {}; run one release of "
                          "Lockstep on all members",
                          what));
}

}  // namespace

std::string encode(const DatagramParameters& parameters) {
  LOCKSTEP_ASSERT(parameters.place.size() <= Port::kMostPlaceBytes);
  const Packed packed{.place_bytes = static_cast<std::uint16_t>(parameters.place.size()),
                      .credit = static_cast<std::uint16_t>(parameters.credit),
                      .packet_bytes = parameters.packet_bytes,
                      .seed = parameters.secret.seed};
  std::string text(sizeof packed, '\0');
  std::memcpy(text.data(), &packed, sizeof packed);
  return text + parameters.place;
}

Expected<DatagramParameters> decode_datagram_parameters(std::string_view text) {
  Packed packed;
  if (text.size() < sizeof packed) {
    return malformed(fmt::format("{} bytes instead of {} at least", text.size(), sizeof packed));
  }
  std::memcpy(&packed, text.data(), sizeof packed);
  if (packed.version != kVersion) return malformed("another version");
  const std::string_view place = text.substr(sizeof packed);
  if (place.size() != packed.place_bytes || place.size() > Port::kMostPlaceBytes) {
    return malformed(
        fmt::format("a place of {} bytes where {} are said", place.size(), packed.place_bytes));
  }
  if (packed.credit == 0 || packed.credit > packet::kMostOutstanding) {
    return malformed(fmt::format("room for {} packets; 1 to {} are possible", packed.credit,
                                 packet::kMostOutstanding));
  }
  if (packed.packet_bytes < packet::kLeastPacketBytes ||
      packed.packet_bytes > packet::kMostPacketBytes) {
    return malformed(fmt::format("packets of {} bytes; {} to {} are possible", packed.packet_bytes,
                                 packet::kLeastPacketBytes, packet::kMostPacketBytes));
  }
  return DatagramParameters{.place = std::string(place),
                            .credit = packed.credit,
                            .packet_bytes = packed.packet_bytes,
                            .secret = {packed.seed}};
}

}  // namespace lockstep::transports
