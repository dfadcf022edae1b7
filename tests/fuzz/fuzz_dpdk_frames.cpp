// Frames that may come to a port of DPDK's: anything at all, and frames of this member's whose
// heads were damaged. Nothing may be read behind their end, and what is found in them lies in them.

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "transports/dpdk/plugin/frame.hpp"

namespace {

using namespace lockstep::transports::dpdk;

Way way(std::uint8_t member, bool six) {
  return {.mac = {{2, 0, 0, 0, 0, member}},
          .ip = {.bytes = {10, 0, 0, member}, .six = six},
          .udp_port = 7'000};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  // What kind, and how many bytes of heads are made before the rest damages them.
  const auto encapsulation = (data[0] & 1U) != 0 ? Encapsulation::udp : Encapsulation::ethernet;
  const bool six = (data[0] & 2U) != 0;
  const std::size_t kept = data[1];
  const std::span input(reinterpret_cast<const std::byte*>(data) + 2, size - 2);
  std::vector<std::byte> frame(input.begin(), input.end());
  const std::size_t heads = head_bytes(encapsulation, six);
  if ((data[0] & 4U) != 0 && frame.size() >= heads) {
    write_frame(frame.data(), encapsulation, way(1, six), way(2, six), input.subspan(heads),
                (data[0] & 8U) != 0);
    for (std::size_t i = kept; i < heads; ++i) frame[i] ^= input[i];
  }
  const auto packet = packet_in(frame, encapsulation, way(2, six));
  if (!packet || packet->empty()) return 0;
  const bool inside = packet->data() >= frame.data() + heads &&
                      packet->data() + packet->size() <= frame.data() + frame.size();
  if (!inside) std::abort();
  return 0;
}
