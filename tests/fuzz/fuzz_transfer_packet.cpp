// What anybody may send as a packet of a state transfer: what is taken for one is exactly what
// encode makes of it.

#include <algorithm>

#include "tests/fuzz/transfer_ends.hpp"

namespace {

using namespace lockstep::membership;

void hear(const Bytes& bytes) {
  const auto packet = decode(bytes);
  if (!packet) return;
  require(packet->body.size() <= kMostChunkBytes);
  Bytes place(bytes.size());
  require(std::ranges::equal(encode(*packet, place), bytes));
  if (packet->kind != TransferKind::failed) return;
  for (const char c : reason_in(*packet)) require(c < 0 || (c >= ' ' && c != '\x7f'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  Bytes packet(bytes.begin(), bytes.end());
  hear(packet);
  seal(packet);
  hear(packet);
  Choices choices({data, size});
  hear(any_packet(choices, {}, 0));
  return 0;
}
