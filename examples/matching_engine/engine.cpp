#include "examples/matching_engine/engine.hpp"

#include <array>
#include <cstring>

namespace lockstep::examples {

void MatchingEngine::apply(const Message& message) {
  OrderMessage order;
  if (message.payload.size() != sizeof order) {
    ++malformed_;
    return;
  }
  std::memcpy(&order, message.payload.data(), sizeof order);
  apply(order);
}

void MatchingEngine::apply(const OrderMessage& order) {
  const bool adds = order.kind <= OrderKind::add_market;
  if (adds && order.side != Side::buy && order.side != Side::sell) {
    ++malformed_;
    return;
  }
  ++orders_;
  switch (order.kind) {
    case OrderKind::add_limit:
      return book_.add_limit(order.instrument, order.side, order.order_id, order.price,
                             order.quantity);
    case OrderKind::add_ioc:
      return book_.add_ioc(order.instrument, order.side, order.order_id, order.price,
                           order.quantity);
    case OrderKind::add_market:
      return book_.add_market(order.instrument, order.side, order.order_id, order.quantity);
    case OrderKind::cancel:
      return book_.cancel(order.order_id);
    case OrderKind::reduce:
      return book_.reduce(order.order_id, order.quantity);
    case OrderKind::replace:
      return book_.replace(order.order_id, order.new_order_id, order.price, order.quantity);
    case OrderKind::execute:
      return book_.execute(order.order_id, order.price, order.quantity);
    case OrderKind::hidden_trade:
      return recorder_.on({order.order_id, 0, order.price, order.quantity, 0, order.instrument,
                           EventKind::trade_print, 0});
    case OrderKind::cross_trade:
      return recorder_.on({order.order_id, 0, order.price, order.quantity, 0, order.instrument,
                           EventKind::cross_print, 0});
    case OrderKind::trading_status:
      return recorder_.on({0, 0, 0, 0, 0, order.instrument, EventKind::trading_status,
                           static_cast<std::uint8_t>(order.detail)});
    case OrderKind::end_of_input:
      --orders_;
      finished_ = true;
      return;
  }
  --orders_;
  ++malformed_;
}

std::uint64_t MatchingEngine::digest() const {
  Digest digest = recorder_.digest();
  book_.for_each_resting([&](const RestingOrder& order) {
    digest.add(
        std::array{order.order_id, std::uint64_t{order.price} << 32 | order.quantity,
                   std::uint64_t{order.instrument} << 8 | static_cast<std::uint64_t>(order.side)});
  });
  return digest.value();
}

EngineCounts MatchingEngine::counts() const noexcept {
  EngineCounts counts;
  counts.orders = orders_;
  counts.malformed = malformed_;
  for (std::size_t kind = 0; kind < kEventKinds; ++kind) {
    counts.events += recorder_.count(static_cast<EventKind>(kind));
  }
  counts.fills = recorder_.count(EventKind::filled);
  counts.unknown_ids = recorder_.count(EventKind::unknown_id);
  counts.unknown_executions = recorder_.unknown_executions();
  counts.rejected = recorder_.count(EventKind::rejected);
  counts.trade_prints =
      recorder_.count(EventKind::trade_print) + recorder_.count(EventKind::cross_print);
  return counts;
}

}  // namespace lockstep::examples
