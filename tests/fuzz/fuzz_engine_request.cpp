// What a client may say to a `lockstep node` with a matching engine. Nothing may be read out of
// bounds, and what is understood must mean what it says. (No engine here: making one takes a
// thousand times as long as a small packet.)

#include <cstdlib>
#include <string_view>
#include <vector>

#include "tools/node/engine_packet.hpp"

namespace {

using namespace lockstep;
using namespace lockstep::node;
using examples::OrderKind;
using examples::OrderMessage;
using examples::Side;

void require(bool condition) {
  if (!condition) std::abort();
}

void hear_request(std::string_view text) {
  const auto decoded = decode_engine_request(as_bytes(text));
  if (!decoded) return require(!decoded.error().message.empty());
  if (decoded->bytes == 0) return;
  require(decoded->bytes <= text.size() && decoded->bytes <= kMostPacketBytes);
  const EngineRequest& request = decoded->packet;
  std::vector<OrderMessage> orders;
  for (std::size_t place = 0; place < request.count(); ++place) {
    orders.push_back(request.order(place));
    const OrderMessage& order = orders.back();
    require(order.kind >= OrderKind::add_limit && order.kind <= OrderKind::trading_status);
    require(order.side == Side::buy || order.side == Side::sell);
  }
  const std::string again =
      request.kind == EngineRequestKind::orders
          ? encode_orders(orders)
          : encode_digest_request(request.kind == EngineRequestKind::ordered_digest);
  require(again == text.substr(0, decoded->bytes));
}

void hear_reply(std::string_view text) {
  const auto decoded = decode_reply(as_bytes(text));
  if (!decoded || decoded->bytes == 0) return;
  static_cast<void>(decode_orders_applied(decoded->packet));
  static_cast<void>(decode_engine_digest(decoded->packet));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  hear_request(text);
  hear_reply(text);
  return 0;
}
