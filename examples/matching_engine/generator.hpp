#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "examples/matching_engine/order_message.hpp"
#include "examples/matching_engine/order_source.hpp"
#include "examples/matching_engine/random.hpp"
#include "lockstep/error.hpp"

namespace lockstep::examples {

/// Makes up an order flow like that of one real hour of a large stock: 48.1 % submissions, 0.5 %
/// partial cancels, 44.6 % deletions, 4.4 % visible and 2.4 % hidden executions; times between
/// messages of p10 2.7 µs, p50 459 µs, p90 103 ms, p99 646 ms, 6.4 % of them zero; a light mean
/// with hard bursts. From one seed, in integers, so the same flow on every platform.
///
/// Prices stand around a middle that wanders; one submission in a hundred is priced to match at
/// once (limit, IOC and market orders by turns). Deletions and executions name live orders, as far
/// as the generator knows: it has no book, so it does not see what the engine matched, and a few of
/// its ids are gone by then. Memory is fixed at the start.
class OrderGenerator final : public OrderSource {
 public:
  OrderGenerator(std::uint64_t seed, std::uint64_t orders);

  Expected<std::size_t> next(std::span<OrderMessage> into) override;
  void rewind() override;

 private:
  /// How quickly messages follow one another. They come in phases: see generator.cpp.
  enum class Pace : std::uint8_t { burst, busy, calm };

  struct Live {
    std::uint64_t order_id;
    std::uint32_t price;
    std::uint32_t quantity;
    Side side;
  };

  OrderMessage make();
  std::uint64_t gap_ns();
  void wander();
  void submit(OrderMessage& order);
  void reduce(OrderMessage& order);
  void remove(OrderMessage& order);
  void execute(OrderMessage& order);
  void trade_hidden(OrderMessage& order);
  std::uint32_t quantity();
  std::uint32_t distance();
  std::size_t near_the_middle();
  void forget(std::size_t at);

  std::uint64_t seed_;
  std::uint64_t most_orders_;
  Random random_;
  std::vector<Live> live_;
  std::uint64_t made_ = 0;
  std::uint64_t time_ns_ = 0;
  std::uint64_t last_id_ = 0;
  std::uint32_t middle_ = 0;
  Pace pace_ = Pace::busy;
};

}  // namespace lockstep::examples
