#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace lockstep::examples {

/// What happened in the book. Values go into digests: never renumber.
enum class EventKind : std::uint8_t {
  accepted = 1,         ///< order_id entered with its worst price and quantity; fills follow
  filled = 2,           ///< order_id took quantity from other_id (resting) at price
  cancelled = 3,        ///< order_id is gone with quantity unfilled; reason says why
  reduced = 4,          ///< order_id lost quantity
  replaced = 5,         ///< order_id is gone with quantity unfilled; other_id takes its place
  rejected = 6,         ///< order_id was refused; reason says why
  unknown_id = 7,       ///< no such order rests; reason holds the OrderKind that named it
  trade_print = 8,      ///< a hidden execution of quantity at price
  cross_print = 9,      ///< an auction of quantity at price
  trading_status = 10,  ///< reason holds the TradingStatus
};
inline constexpr std::size_t kEventKinds = 11;

enum class RejectReason : std::uint8_t { bad_quantity = 1, bad_price, duplicate_id, book_full };

enum class CancelReason : std::uint8_t { requested = 1, nothing_left_to_match, reduced_to_nothing };

/// One output of the book. `order_id` is 0 in `filled` when a feed did not say who took.
struct OrderEvent {
  std::uint64_t order_id = 0;
  std::uint64_t other_id = 0;
  std::uint32_t price = 0;
  std::uint32_t quantity = 0;
  std::uint32_t remaining = 0;  ///< `filled`, `reduced`: what the resting order still has
  std::uint16_t instrument = 0;
  EventKind kind = EventKind::accepted;
  std::uint8_t reason = 0;

  bool operator==(const OrderEvent&) const = default;
};

// Digests run over the bytes: there must be no padding.
static_assert(std::has_unique_object_representations_v<OrderEvent>);
static_assert(sizeof(OrderEvent) == 32);

/// Takes events in the order in which they happen. Must not call back into the book.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void on(const OrderEvent& event) = 0;
};

}  // namespace lockstep::examples
