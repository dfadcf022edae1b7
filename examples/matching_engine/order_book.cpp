#include "examples/matching_engine/order_book.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace lockstep::examples {
namespace {

constexpr Side other(Side side) noexcept { return side == Side::buy ? Side::sell : Side::buy; }

/// One level in four is higher than its neighbours: the usual skip list, but decided by the price.
std::uint8_t height_of(std::uint32_t key, std::size_t most) noexcept {
  const auto zeros = static_cast<std::size_t>(std::countr_zero(scramble(key)));
  return static_cast<std::uint8_t>(std::min(1 + zeros / 2, most));
}

}  // namespace

OrderBook::OrderBook(std::uint32_t most_orders, EventSink& sink)
    : sink_(sink),
      orders_(most_orders),
      levels_(most_orders),  // each holds at least one order
      index_(most_orders),
      heads_(make_zeroed_array<Links>(2 * kInstruments)) {}

void OrderBook::add_limit(std::uint16_t instrument, Side side, std::uint64_t order_id,
                          std::uint32_t price, std::uint32_t quantity) {
  if (quantity == 0) return reject(instrument, order_id, RejectReason::bad_quantity);
  if (price == 0) return reject(instrument, order_id, RejectReason::bad_price);
  if (index_.find(order_id) != 0) return reject(instrument, order_id, RejectReason::duplicate_id);
  // Asked before matching: whether an order is refused must not depend on how much it would fill.
  if (orders_.full()) return reject(instrument, order_id, RejectReason::book_full);
  sink_.on({order_id, 0, price, quantity, 0, instrument, EventKind::accepted, 0});
  match_or_rest(instrument, side, order_id, price, quantity);
}

void OrderBook::add_ioc(std::uint16_t instrument, Side side, std::uint64_t order_id,
                        std::uint32_t price, std::uint32_t quantity) {
  if (price == 0) return reject(instrument, order_id, RejectReason::bad_price);
  take(instrument, side, order_id, price, quantity);
}

void OrderBook::add_market(std::uint16_t instrument, Side side, std::uint64_t order_id,
                           std::uint32_t quantity) {
  const std::uint32_t any_price =
      side == Side::buy ? std::numeric_limits<std::uint32_t>::max() : std::uint32_t{0};
  take(instrument, side, order_id, any_price, quantity);
}

void OrderBook::take(std::uint16_t instrument, Side side, std::uint64_t order_id,
                     std::uint32_t price, std::uint32_t quantity) {
  if (quantity == 0) return reject(instrument, order_id, RejectReason::bad_quantity);
  if (index_.find(order_id) != 0) return reject(instrument, order_id, RejectReason::duplicate_id);
  sink_.on({order_id, 0, price, quantity, 0, instrument, EventKind::accepted, 0});
  const std::uint32_t left = match(instrument, side, order_id, price, quantity);
  if (left == 0) return;
  sink_.on({order_id, 0, price, left, 0, instrument, EventKind::cancelled,
            static_cast<std::uint8_t>(CancelReason::nothing_left_to_match)});
}

void OrderBook::cancel(std::uint64_t order_id) {
  const std::uint32_t order = index_.find(order_id);
  if (order == 0) return unknown(order_id, OrderKind::cancel);
  const Level& level = levels_[orders_[order].level];
  sink_.on({order_id, 0, price_of(level), orders_[order].quantity, 0, level.instrument,
            EventKind::cancelled, static_cast<std::uint8_t>(CancelReason::requested)});
  remove(order);
}

void OrderBook::reduce(std::uint64_t order_id, std::uint32_t quantity) {
  const std::uint32_t order = index_.find(order_id);
  if (order == 0) return unknown(order_id, OrderKind::reduce);
  const Level& level = levels_[orders_[order].level];
  if (quantity == 0) return reject(level.instrument, order_id, RejectReason::bad_quantity);
  const std::uint32_t had = orders_[order].quantity;
  if (quantity >= had) {
    sink_.on({order_id, 0, price_of(level), had, 0, level.instrument, EventKind::cancelled,
              static_cast<std::uint8_t>(CancelReason::reduced_to_nothing)});
    return remove(order);
  }
  sink_.on({order_id, 0, price_of(level), quantity, had - quantity, level.instrument,
            EventKind::reduced, 0});
  shrink(order, quantity);
}

void OrderBook::replace(std::uint64_t order_id, std::uint64_t new_order_id, std::uint32_t price,
                        std::uint32_t quantity) {
  const std::uint32_t order = index_.find(order_id);
  if (order == 0) return unknown(order_id, OrderKind::replace);
  const Level& level = levels_[orders_[order].level];
  const std::uint16_t instrument = level.instrument;
  const Side side = level.side;
  if (quantity == 0) return reject(instrument, new_order_id, RejectReason::bad_quantity);
  if (price == 0) return reject(instrument, new_order_id, RejectReason::bad_price);
  if (new_order_id != order_id && index_.find(new_order_id) != 0) {
    return reject(instrument, new_order_id, RejectReason::duplicate_id);
  }
  sink_.on({order_id, new_order_id, price_of(level), orders_[order].quantity, 0, instrument,
            EventKind::replaced, 0});
  remove(order);
  sink_.on({new_order_id, 0, price, quantity, 0, instrument, EventKind::accepted, 0});
  match_or_rest(instrument, side, new_order_id, price, quantity);
}

void OrderBook::execute(std::uint64_t order_id, std::uint32_t price, std::uint32_t quantity) {
  const std::uint32_t order = index_.find(order_id);
  if (order == 0) return unknown(order_id, OrderKind::execute);
  const Level& level = levels_[orders_[order].level];
  if (quantity == 0) return reject(level.instrument, order_id, RejectReason::bad_quantity);
  const std::uint32_t filled = std::min(quantity, orders_[order].quantity);
  const std::uint32_t left = orders_[order].quantity - filled;
  sink_.on({0, order_id, price != 0 ? price : price_of(level), filled, left, level.instrument,
            EventKind::filled, 0});
  if (left == 0) return remove(order);
  shrink(order, filled);
}

void OrderBook::clear() noexcept {
  for (std::size_t i = 0; i < 2 * kInstruments; ++i) {
    while (heads_[i][0] != 0) remove(levels_[heads_[i][0]].first);
  }
}

bool OrderBook::restore(const RestingOrder& order) {
  if (order.price == 0 || order.quantity == 0) return false;
  if (order.side != Side::buy && order.side != Side::sell) return false;
  if (index_.find(order.order_id) != 0 || orders_.full()) return false;
  if (would_match(order.instrument, order.side, order.price)) return false;
  rest(order.instrument, order.side, order.order_id, order.price, order.quantity);
  return true;
}

std::optional<OrderBook::Quote> OrderBook::best(std::uint16_t instrument, Side side) const {
  const std::uint32_t level = head(instrument, side)[0];
  if (level == 0) return std::nullopt;
  return Quote{price_of(levels_[level]), levels_[level].quantity, levels_[level].orders};
}

bool OrderBook::would_match(std::uint16_t instrument, Side side, std::uint32_t price) const {
  const Side makers = other(side);
  const std::uint32_t level = head(instrument, makers)[0];
  return level != 0 && levels_[level].key <= key_of(makers, price);
}

void OrderBook::reject(std::uint16_t instrument, std::uint64_t order_id, RejectReason reason) {
  sink_.on(
      {order_id, 0, 0, 0, 0, instrument, EventKind::rejected, static_cast<std::uint8_t>(reason)});
}

void OrderBook::unknown(std::uint64_t order_id, OrderKind command) {
  sink_.on({order_id, 0, 0, 0, 0, 0, EventKind::unknown_id, static_cast<std::uint8_t>(command)});
}

/// Fills `order_id` from the other side at `worst_price` or better. Returns what is left.
std::uint32_t OrderBook::match(std::uint16_t instrument, Side side, std::uint64_t order_id,
                               std::uint32_t worst_price, std::uint32_t quantity) {
  const Side makers = other(side);
  const Links& front = head(instrument, makers);
  const std::uint32_t worst_key = key_of(makers, worst_price);
  while (quantity != 0 && front[0] != 0 && levels_[front[0]].key <= worst_key) {
    const Level& level = levels_[front[0]];
    const std::uint32_t maker = level.first;
    const std::uint32_t filled = std::min(quantity, orders_[maker].quantity);
    const std::uint32_t left = orders_[maker].quantity - filled;
    quantity -= filled;
    sink_.on({order_id, orders_[maker].order_id, price_of(level), filled, left, instrument,
              EventKind::filled, 0});
    if (left == 0) {
      remove(maker);
    } else {
      shrink(maker, filled);
    }
  }
  return quantity;
}

void OrderBook::match_or_rest(std::uint16_t instrument, Side side, std::uint64_t order_id,
                              std::uint32_t price, std::uint32_t quantity) {
  const std::uint32_t left = match(instrument, side, order_id, price, quantity);
  if (left != 0) rest(instrument, side, order_id, price, left);
}

void OrderBook::rest(std::uint16_t instrument, Side side, std::uint64_t order_id,
                     std::uint32_t price, std::uint32_t quantity) {
  const std::uint32_t level_index = level_at(instrument, side, price);
  Level& level = levels_[level_index];
  const std::uint32_t order = orders_.take();
  orders_[order] = {order_id, 0, level.last, level_index, quantity};
  (level.last == 0 ? level.first : orders_[level.last].next) = order;
  level.last = order;
  level.quantity += quantity;
  ++level.orders;
  index_.insert(order_id, order);
}

void OrderBook::shrink(std::uint32_t order, std::uint32_t quantity) noexcept {
  orders_[order].quantity -= quantity;
  levels_[orders_[order].level].quantity -= quantity;
}

void OrderBook::remove(std::uint32_t order) noexcept {
  const Order& gone = orders_[order];
  Level& level = levels_[gone.level];
  (gone.previous == 0 ? level.first : orders_[gone.previous].next) = gone.next;
  (gone.next == 0 ? level.last : orders_[gone.next].previous) = gone.previous;
  level.quantity -= gone.quantity;
  if (--level.orders == 0) remove_level(gone.level);
  index_.erase(gone.order_id);
  orders_.give_back(order);
}

/// The first level at `key` or behind it, 0 if there is none.
std::uint32_t OrderBook::search(Links& from, std::uint32_t key, Path& path) noexcept {
  Links* links = &from;
  for (std::size_t height = kHeights; height-- > 0;) {
    while ((*links)[height] != 0 && levels_[(*links)[height]].key < key) {
      links = &levels_[(*links)[height]].links;
    }
    path[height] = links;
  }
  return (*links)[0];
}

/// The level of this price, made if it is not there. The pool cannot run out: there are no more
/// levels than orders, and the caller is about to add an order that has room.
std::uint32_t OrderBook::level_at(std::uint16_t instrument, Side side,
                                  std::uint32_t price) noexcept {
  const std::uint32_t key = key_of(side, price);
  Path path;
  const std::uint32_t found = search(head(instrument, side), key, path);
  if (found != 0 && levels_[found].key == key) return found;
  const std::uint32_t made = levels_.take();
  const std::uint8_t height = height_of(key, kHeights);
  levels_[made] = {0, key, 0, 0, 0, {}, 0, instrument, side, height};
  for (std::size_t i = 0; i < height; ++i) {
    levels_[made].links[i] = (*path[i])[i];
    (*path[i])[i] = made;
  }
  return made;
}

void OrderBook::remove_level(std::uint32_t level) noexcept {
  const Level& gone = levels_[level];
  Path path;
  search(head(gone.instrument, gone.side), gone.key, path);
  for (std::size_t i = 0; i < gone.height; ++i) (*path[i])[i] = gone.links[i];
  levels_.give_back(level);
}

}  // namespace lockstep::examples
