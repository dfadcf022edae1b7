#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace lockstep::examples {

enum class Side : std::uint8_t { buy = 1, sell = 2 };

/// What an OrderMessage asks for. Values go over the wire: never renumber.
enum class OrderKind : std::uint8_t {
  add_limit = 1,   ///< match what crosses, rest the remainder
  add_ioc = 2,     ///< match what crosses at `price` or better, drop the remainder
  add_market = 3,  ///< match at any price, drop the remainder
  cancel = 4,      ///< take `order_id` out of the book
  reduce = 5,      ///< take `quantity` off `order_id`; its place in the queue stays
  replace = 6,     ///< cancel `order_id`, then add_limit `new_order_id` on the same side
  /// A feed says that `order_id`, resting, was hit for `quantity`; `price` if not its own, else 0.
  execute = 7,
  hidden_trade = 8,     ///< a feed says that an order nobody saw was executed
  cross_trade = 9,      ///< a feed says that an auction executed
  trading_status = 10,  ///< a feed says that trading halted or goes on; `detail` is a TradingStatus
  end_of_input = 11,    ///< nothing follows; `order_id` is the number of messages before it
};

/// OrderMessage::detail of `trading_status`.
enum class TradingStatus : std::uint32_t {
  halted = 1,
  paused = 2,
  quotation_only = 3,
  trading = 4
};

/// One command to the matching engine: what is published, byte for byte.
///
/// Prices are in 1/10 000 of the currency, quantities in shares, times in nanoseconds since
/// midnight. Fields a kind does not use are 0. Little-endian, like every host Lockstep runs on.
struct OrderMessage {
  std::uint64_t time_ns = 0;  ///< when it entered the market; paces a replay, changes no result
  std::uint64_t order_id = 0;
  std::uint64_t new_order_id = 0;  ///< `replace` only
  std::uint32_t price = 0;
  std::uint32_t quantity = 0;
  std::uint16_t instrument = 0;  ///< ITCH stock locate; 0 for files of one stock
  OrderKind kind = OrderKind::add_limit;
  Side side = Side::buy;
  std::uint32_t detail = 0;

  bool operator==(const OrderMessage&) const = default;
};

static_assert(std::is_trivially_copyable_v<OrderMessage>);
static_assert(std::has_unique_object_representations_v<OrderMessage>);
static_assert(sizeof(OrderMessage) == 40);
static_assert(offsetof(OrderMessage, time_ns) == 0);
static_assert(offsetof(OrderMessage, order_id) == 8);
static_assert(offsetof(OrderMessage, new_order_id) == 16);
static_assert(offsetof(OrderMessage, price) == 24);
static_assert(offsetof(OrderMessage, quantity) == 28);
static_assert(offsetof(OrderMessage, instrument) == 32);
static_assert(offsetof(OrderMessage, kind) == 34);
static_assert(offsetof(OrderMessage, side) == 35);
static_assert(offsetof(OrderMessage, detail) == 36);

}  // namespace lockstep::examples
