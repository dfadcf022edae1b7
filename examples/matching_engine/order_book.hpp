#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "examples/matching_engine/order_event.hpp"
#include "examples/matching_engine/order_index.hpp"
#include "examples/matching_engine/order_message.hpp"
#include "examples/matching_engine/pool.hpp"

namespace lockstep::examples {

/// An order at rest, as OrderBook::for_each_resting shows it.
struct RestingOrder {
  std::uint64_t order_id = 0;
  std::uint32_t price = 0;
  std::uint32_t quantity = 0;
  std::uint16_t instrument = 0;
  Side side = Side::buy;

  bool operator==(const RestingOrder&) const = default;
};

/// A limit order book per instrument with price-time priority. Integers only, so every member that
/// applies the same orders in the same sequence emits the same events.
///
/// Orders of one price stand in a queue (a linked list); the prices of one side form a skip list
/// (Pugh, CACM 33(6), 1990) that starts at the best one, where nearly all orders go; its heights
/// come from a hash of the price and not from chance. Orders and prices live in pools of a size
/// fixed at the start: afterwards nothing allocates, and an order too many is `rejected`.
///
/// Every outcome is an event; no call fails. One thread.
class OrderBook {
 public:
  /// Room for `most_orders` resting orders in all instruments together, at least 1. `sink` must
  /// outlive the book. Throws std::bad_alloc.
  OrderBook(std::uint32_t most_orders, EventSink& sink);

  /// Matches against the other side at the resting prices, best price first, oldest order first;
  /// the remainder rests (limit) or is dropped (IOC, market).
  void add_limit(std::uint16_t instrument, Side side, std::uint64_t order_id, std::uint32_t price,
                 std::uint32_t quantity);
  void add_ioc(std::uint16_t instrument, Side side, std::uint64_t order_id, std::uint32_t price,
               std::uint32_t quantity);
  void add_market(std::uint16_t instrument, Side side, std::uint64_t order_id,
                  std::uint32_t quantity);

  void cancel(std::uint64_t order_id);
  /// Takes `quantity` off; all of it or more cancels the order.
  void reduce(std::uint64_t order_id, std::uint32_t quantity);
  /// The new order has the old one's instrument and side and loses its place in the queue, also at
  /// the same price. A refused replacement leaves the old order as it was.
  void replace(std::uint64_t order_id, std::uint64_t new_order_id, std::uint32_t price,
               std::uint32_t quantity);
  /// Fills a resting order on a feed's word, at `price` or, if that is 0, at its own. What the feed
  /// has beyond the order's quantity is not filled.
  void execute(std::uint64_t order_id, std::uint32_t price, std::uint32_t quantity);

  /// Takes every order out, without an event.
  void clear() noexcept;
  /// Puts an order back to rest behind those of its price, without an event: what for_each_resting
  /// showed, in that order, makes an equal book. False, and nothing done, if no order can rest so:
  /// no price, no quantity, no such side, its id rests already, it would match, or there is no
  /// room.
  bool restore(const RestingOrder& order);

  struct Quote {
    std::uint32_t price = 0;
    std::uint64_t quantity = 0;
    std::uint32_t orders = 0;
    bool operator==(const Quote&) const = default;
  };
  /// The best price of a side, if anything rests there.
  [[nodiscard]] std::optional<Quote> best(std::uint16_t instrument, Side side) const;

  /// How many orders can rest, in all instruments.
  [[nodiscard]] std::uint32_t most_orders() const noexcept { return orders_.capacity(); }
  /// How many orders rest, in all instruments.
  [[nodiscard]] std::uint32_t size() const noexcept { return orders_.used(); }

  /// Calls `visit(RestingOrder)` by instrument, buy before sell, best price first, oldest first.
  template <std::invocable<const RestingOrder&> Visitor>
  void for_each_resting(Visitor&& visit) const;

 private:
  static constexpr std::size_t kHeights = 8;
  static constexpr std::size_t kInstruments = 65'536;
  using Links = std::array<std::uint32_t, kHeights>;

  struct Order {
    std::uint64_t order_id;
    std::uint32_t next;
    std::uint32_t previous;
    std::uint32_t level;
    std::uint32_t quantity;
  };

  /// All orders of one instrument, side and price. `key` orders the prices of a side: the better
  /// the price, the lower the key.
  struct Level {
    std::uint64_t quantity;
    std::uint32_t key;
    std::uint32_t first;
    std::uint32_t last;
    std::uint32_t orders;
    Links links;
    std::uint32_t next;  ///< free list only
    std::uint16_t instrument;
    Side side;
    std::uint8_t height;
  };
  static_assert(sizeof(Level) == 64);

  /// Where a search passed: at each height the links that lead to the key or beyond it.
  using Path = std::array<Links*, kHeights>;

  static constexpr std::uint32_t key_of(Side side, std::uint32_t price) noexcept {
    return side == Side::buy ? ~price : price;
  }
  static constexpr std::uint32_t price_of(const Level& level) noexcept {
    return level.side == Side::buy ? ~level.key : level.key;
  }
  [[nodiscard]] Links& head(std::uint16_t instrument, Side side) noexcept {
    return heads_[std::size_t{instrument} * 2 + (side == Side::sell ? 1 : 0)];
  }
  [[nodiscard]] const Links& head(std::uint16_t instrument, Side side) const noexcept {
    return heads_[std::size_t{instrument} * 2 + (side == Side::sell ? 1 : 0)];
  }

  [[nodiscard]] bool would_match(std::uint16_t instrument, Side side, std::uint32_t price) const;
  void reject(std::uint16_t instrument, std::uint64_t order_id, RejectReason reason);
  void unknown(std::uint64_t order_id, OrderKind command);
  void take(std::uint16_t instrument, Side side, std::uint64_t order_id, std::uint32_t price,
            std::uint32_t quantity);
  std::uint32_t match(std::uint16_t instrument, Side side, std::uint64_t order_id,
                      std::uint32_t worst_price, std::uint32_t quantity);
  void match_or_rest(std::uint16_t instrument, Side side, std::uint64_t order_id,
                     std::uint32_t price, std::uint32_t quantity);
  void rest(std::uint16_t instrument, Side side, std::uint64_t order_id, std::uint32_t price,
            std::uint32_t quantity);
  void shrink(std::uint32_t order, std::uint32_t quantity) noexcept;
  void remove(std::uint32_t order) noexcept;
  std::uint32_t level_at(std::uint16_t instrument, Side side, std::uint32_t price) noexcept;
  void remove_level(std::uint32_t level) noexcept;
  std::uint32_t search(Links& from, std::uint32_t key, Path& path) noexcept;

  EventSink& sink_;
  Pool<Order> orders_;
  Pool<Level> levels_;
  OrderIndex index_;
  std::unique_ptr<Links[], Free> heads_;
};

template <std::invocable<const RestingOrder&> Visitor>
void OrderBook::for_each_resting(Visitor&& visit) const {
  for (std::size_t i = 0; i < 2 * kInstruments; ++i) {
    for (std::uint32_t level = heads_[i][0]; level != 0; level = levels_[level].links[0]) {
      const Level& at = levels_[level];
      for (std::uint32_t order = at.first; order != 0; order = orders_[order].next) {
        visit(RestingOrder{orders_[order].order_id, price_of(at), orders_[order].quantity,
                           at.instrument, at.side});
      }
    }
  }
}

}  // namespace lockstep::examples
