#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

#include "examples/matching_engine/byte_source.hpp"
#include "examples/matching_engine/engine.hpp"
#include "examples/matching_engine/itch_reader.hpp"
#include "examples/matching_engine/lobster_reader.hpp"

namespace lockstep::examples {
namespace {

/// Whatever the file holds, a reader ends with orders or with an error that says something, and the
/// engine survives the orders.
void replay(OrderSource& source) {
  MatchingEngine engine(64);
  std::array<OrderMessage, 16> orders;
  while (true) {
    const auto got = source.next(orders);
    if (!got && got.error().message.empty()) std::abort();
    if (!got || *got == 0) break;
    for (const OrderMessage& order : std::span(orders).first(*got)) engine.apply(order);
  }
  if (engine.counts().malformed != 0) std::abort();
}

}  // namespace
}  // namespace lockstep::examples

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep::examples;
  const auto bytes = std::as_bytes(std::span(data, size));
  LobsterReader lobster(bytes_in_memory("lobster", bytes));
  replay(lobster);
  ItchReader itch(bytes_in_memory("itch", bytes));
  replay(itch);
  return 0;
}
