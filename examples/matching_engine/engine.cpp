#include "examples/matching_engine/engine.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <span>

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

bool MatchingEngine::save(SnapshotWriter& writer) {
  if (writer.first()) {
    saving_ = encode(snapshot());
    saved_bytes_ = 0;
  }
  saved_bytes_ += writer.write(std::span(saving_).subspan(saved_bytes_));
  if (saved_bytes_ < saving_.size()) return false;
  saving_ = {};
  saved_bytes_ = 0;
  return true;
}

void MatchingEngine::load(SnapshotReader& reader) {
  if (reader.first()) loading_.clear();
  const std::span<const std::byte> bytes = reader.bytes();
  const std::size_t most_bytes = most_snapshot_bytes(book_.most_orders());
  if (loading_.size() + bytes.size() > most_bytes) {
    return reader.fail(
        fmt::format("the state of the matching engine has more than the {} bytes that a book of "
                    "{} orders can have; do all members have the same room (--book-orders, "
                    "node.book_orders)?",
                    most_bytes, book_.most_orders()));
  }
  loading_.insert(loading_.end(), bytes.begin(), bytes.end());
  if (!reader.last()) return;
  const auto state = decode(loading_);
  loading_ = {};
  if (!state) return reader.fail(state.error().message);
  if (const auto restored = restore(*state); !restored) reader.fail(restored.error().message);
}

EngineSnapshot MatchingEngine::snapshot() const {
  EngineSnapshot snapshot{.most_orders = book_.most_orders(),
                          .orders = orders_,
                          .malformed = malformed_,
                          .finished = finished_,
                          .events_digest = recorder_.digest().value(),
                          .events_by_kind = recorder_.counts(),
                          .unknown_executions = recorder_.unknown_executions(),
                          .resting = {}};
  snapshot.resting.reserve(book_.size());
  book_.for_each_resting([&](const RestingOrder& order) { snapshot.resting.push_back(order); });
  return snapshot;
}

Expected<void> MatchingEngine::restore(const EngineSnapshot& snapshot) {
  if (snapshot.most_orders != book_.most_orders()) {
    return fail(ErrorCode::mismatch,
                fmt::format("the state is that of an engine with room for {} resting orders, this "
                            "one has room for {}; give all members the same "
                            "(--book-orders, node.book_orders)",
                            snapshot.most_orders, book_.most_orders()));
  }
  const auto count = [&](EventKind kind) {
    return snapshot.events_by_kind[static_cast<std::size_t>(kind)];
  };
  // No kind is 0. Each resting order was accepted once, each unknown execution is an unknown id.
  if (snapshot.events_by_kind[0] != 0 || snapshot.resting.size() > count(EventKind::accepted) ||
      snapshot.unknown_executions > count(EventKind::unknown_id)) {
    return fail(ErrorCode::input, "the state counts events that cannot have happened");
  }
  book_.clear();
  for (const RestingOrder& order : snapshot.resting) {
    if (book_.restore(order)) continue;
    book_.clear();
    return fail(ErrorCode::input,
                fmt::format("the state has an order that cannot rest: id {}, price {}, quantity "
                            "{}, instrument {}, side {}",
                            order.order_id, order.price, order.quantity, order.instrument,
                            static_cast<unsigned>(order.side)));
  }
  recorder_.restore(snapshot);
  orders_ = snapshot.orders;
  malformed_ = snapshot.malformed;
  finished_ = snapshot.finished;
  return {};
}

void MatchingEngine::clear() {
  book_.clear();
  recorder_ = EventRecorder();
  orders_ = 0;
  malformed_ = 0;
  finished_ = false;
  saving_ = {};
  saved_bytes_ = 0;
  loading_ = {};
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
