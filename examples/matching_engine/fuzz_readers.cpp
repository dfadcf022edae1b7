#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "examples/matching_engine/byte_source.hpp"
#include "examples/matching_engine/itch_reader.hpp"
#include "examples/matching_engine/lobster_reader.hpp"

namespace lockstep::examples {
namespace {

/// Whatever the file holds, a reader ends with orders that the engine knows, or with an error that
/// says something. (No engine here: making one takes a thousand times as long as a small file.)
void read(OrderSource& source) {
  std::array<OrderMessage, 16> orders;
  while (true) {
    const auto got = source.next(orders);
    if (!got && got.error().message.empty()) std::abort();
    if (!got || *got == 0) return;
    for (const OrderMessage& order : std::span(orders).first(*got)) {
      if (order.kind < OrderKind::add_limit) std::abort();
      if (order.kind > OrderKind::trading_status) std::abort();
      if (order.side != Side::buy && order.side != Side::sell) std::abort();
    }
  }
}

}  // namespace
}  // namespace lockstep::examples

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep::examples;
  const auto bytes = std::as_bytes(std::span(data, size));
  LobsterReader lobster(bytes_in_memory("lobster", bytes));
  read(lobster);
  ItchReader itch(bytes_in_memory("itch", bytes));
  read(itch);
  return 0;
}
