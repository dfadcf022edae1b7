#include "examples/matching_engine/order_book.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "examples/matching_engine/random.hpp"

namespace lockstep::examples {

void PrintTo(const OrderEvent& event, std::ostream* out) {
  *out << "kind " << static_cast<int>(event.kind) << " id " << event.order_id << " other "
       << event.other_id << " price " << event.price << " quantity " << event.quantity
       << " remaining " << event.remaining << " reason " << static_cast<int>(event.reason);
}

namespace {

class Events final : public EventSink {
 public:
  void on(const OrderEvent& event) override { all_.push_back(event); }
  /// What came since the last call.
  std::vector<OrderEvent> taken() { return std::exchange(all_, {}); }

 private:
  std::vector<OrderEvent> all_;
};

using List = std::vector<OrderEvent>;

OrderEvent accepted(std::uint64_t id, std::uint32_t price, std::uint32_t quantity) {
  return {id, 0, price, quantity, 0, 0, EventKind::accepted, 0};
}
OrderEvent filled(std::uint64_t taker, std::uint64_t maker, std::uint32_t price,
                  std::uint32_t quantity, std::uint32_t remaining) {
  return {taker, maker, price, quantity, remaining, 0, EventKind::filled, 0};
}
OrderEvent cancelled(std::uint64_t id, std::uint32_t price, std::uint32_t quantity,
                     CancelReason reason) {
  return {id, 0, price, quantity, 0, 0, EventKind::cancelled, static_cast<std::uint8_t>(reason)};
}
OrderEvent rejected(std::uint64_t id, RejectReason reason) {
  return {id, 0, 0, 0, 0, 0, EventKind::rejected, static_cast<std::uint8_t>(reason)};
}
OrderEvent unknown(std::uint64_t id, OrderKind command) {
  return {id, 0, 0, 0, 0, 0, EventKind::unknown_id, static_cast<std::uint8_t>(command)};
}

class OrderBookTest : public testing::Test {
 protected:
  void buy(std::uint64_t id, std::uint32_t price, std::uint32_t quantity) {
    book_.add_limit(0, Side::buy, id, price, quantity);
  }
  void sell(std::uint64_t id, std::uint32_t price, std::uint32_t quantity) {
    book_.add_limit(0, Side::sell, id, price, quantity);
  }
  [[nodiscard]] std::string resting() const {
    std::string text;
    book_.for_each_resting([&](const RestingOrder& order) {
      text += fmt::format("{}{}:{}@{} ", order.side == Side::buy ? 'B' : 'S', order.order_id,
                          order.quantity, order.price);
    });
    return text;
  }

  Events events_;
  OrderBook book_{8, events_};
};

TEST_F(OrderBookTest, RestsWhatDoesNotCross) {
  buy(1, 100, 10);
  sell(2, 101, 20);
  buy(3, 99, 5);
  EXPECT_EQ(events_.taken(),
            (List{accepted(1, 100, 10), accepted(2, 101, 20), accepted(3, 99, 5)}));
  EXPECT_EQ(book_.best(0, Side::buy), (OrderBook::Quote{100, 10, 1}));
  EXPECT_EQ(book_.best(0, Side::sell), (OrderBook::Quote{101, 20, 1}));
  EXPECT_EQ(book_.best(1, Side::buy), std::nullopt);
  EXPECT_EQ(resting(), "B1:10@100 B3:5@99 S2:20@101 ");
}

TEST_F(OrderBookTest, MatchesBestPriceFirstThenOldestFirst) {
  sell(1, 102, 10);
  sell(2, 101, 10);
  sell(3, 101, 10);
  sell(4, 103, 10);
  events_.taken();
  buy(5, 102, 35);
  EXPECT_EQ(events_.taken(), (List{accepted(5, 102, 35), filled(5, 2, 101, 10, 0),
                                   filled(5, 3, 101, 10, 0), filled(5, 1, 102, 10, 0)}));
  EXPECT_EQ(resting(), "B5:5@102 S4:10@103 ");
}

TEST_F(OrderBookTest, SellsMatchTheHighestBuyersAtTheirPrices) {
  buy(1, 100, 10);
  buy(2, 102, 10);
  buy(3, 101, 10);
  events_.taken();
  sell(4, 101, 15);
  EXPECT_EQ(events_.taken(),
            (List{accepted(4, 101, 15), filled(4, 2, 102, 10, 0), filled(4, 3, 101, 5, 5)}));
  EXPECT_EQ(resting(), "B3:5@101 B1:10@100 ");
  EXPECT_EQ(book_.best(0, Side::buy), (OrderBook::Quote{101, 5, 1}));
}

TEST_F(OrderBookTest, AFillKeepsThePlaceInTheQueue) {
  sell(1, 100, 10);
  sell(2, 100, 10);
  buy(3, 100, 4);
  events_.taken();
  buy(4, 100, 8);
  EXPECT_EQ(events_.taken(),
            (List{accepted(4, 100, 8), filled(4, 1, 100, 6, 0), filled(4, 2, 100, 2, 8)}));
}

TEST_F(OrderBookTest, IocDropsWhatItCannotFill) {
  sell(1, 100, 10);
  sell(2, 101, 10);
  events_.taken();
  book_.add_ioc(0, Side::buy, 3, 100, 15);
  EXPECT_EQ(events_.taken(), (List{accepted(3, 100, 15), filled(3, 1, 100, 10, 0),
                                   cancelled(3, 100, 5, CancelReason::nothing_left_to_match)}));
  book_.add_ioc(0, Side::buy, 4, 101, 10);
  EXPECT_EQ(events_.taken(), (List{accepted(4, 101, 10), filled(4, 2, 101, 10, 0)}));
  EXPECT_EQ(book_.size(), 0U);
}

TEST_F(OrderBookTest, MarketOrdersTakeAnyPriceOnBothSides) {
  sell(1, 1, 1);
  sell(2, 4'294'967'295, 1);
  events_.taken();
  book_.add_market(0, Side::buy, 3, 3);
  EXPECT_EQ(
      events_.taken(),
      (List{accepted(3, 4'294'967'295, 3), filled(3, 1, 1, 1, 0), filled(3, 2, 4'294'967'295, 1, 0),
            cancelled(3, 4'294'967'295, 1, CancelReason::nothing_left_to_match)}));
  buy(4, 1, 1);
  buy(5, 4'294'967'295, 1);
  events_.taken();
  book_.add_market(0, Side::sell, 6, 2);
  EXPECT_EQ(events_.taken(),
            (List{accepted(6, 0, 2), filled(6, 5, 4'294'967'295, 1, 0), filled(6, 4, 1, 1, 0)}));
}

TEST_F(OrderBookTest, CancelsFromEveryPlaceOfTheQueue) {
  for (std::uint64_t id = 1; id <= 5; ++id) buy(id, 100, 10);
  events_.taken();
  for (const std::uint64_t id : {3U, 1U, 5U}) book_.cancel(id);
  EXPECT_EQ(events_.taken(), (List{cancelled(3, 100, 10, CancelReason::requested),
                                   cancelled(1, 100, 10, CancelReason::requested),
                                   cancelled(5, 100, 10, CancelReason::requested)}));
  EXPECT_EQ(resting(), "B2:10@100 B4:10@100 ");
  EXPECT_EQ(book_.best(0, Side::buy), (OrderBook::Quote{100, 20, 2}));
  book_.cancel(2);
  book_.cancel(4);
  EXPECT_EQ(book_.best(0, Side::buy), std::nullopt);
}

TEST_F(OrderBookTest, ReducesInPlaceAndToNothing) {
  buy(1, 100, 10);
  buy(2, 100, 10);
  events_.taken();
  book_.reduce(1, 4);
  book_.reduce(2, 10);
  book_.reduce(1, 99);
  EXPECT_EQ(events_.taken(), (List{{1, 0, 100, 4, 6, 0, EventKind::reduced, 0},
                                   cancelled(2, 100, 10, CancelReason::reduced_to_nothing),
                                   cancelled(1, 100, 6, CancelReason::reduced_to_nothing)}));
  EXPECT_EQ(book_.size(), 0U);
}

TEST_F(OrderBookTest, ReplaceLosesThePlaceAndMayMatch) {
  buy(1, 100, 10);
  buy(2, 100, 10);
  sell(3, 105, 10);
  events_.taken();
  book_.replace(1, 4, 100, 20);
  EXPECT_EQ(events_.taken(),
            (List{{1, 4, 100, 10, 0, 0, EventKind::replaced, 0}, accepted(4, 100, 20)}));
  EXPECT_EQ(resting(), "B2:10@100 B4:20@100 S3:10@105 ");
  book_.replace(2, 2, 105, 15);
  EXPECT_EQ(events_.taken(), (List{{2, 2, 100, 10, 0, 0, EventKind::replaced, 0},
                                   accepted(2, 105, 15),
                                   filled(2, 3, 105, 10, 0)}));
  EXPECT_EQ(resting(), "B2:5@105 B4:20@100 ");
}

TEST_F(OrderBookTest, ExecutesOnAFeedsWord) {
  buy(1, 100, 10);
  events_.taken();
  book_.execute(1, 0, 4);
  book_.execute(1, 98, 99);
  EXPECT_EQ(events_.taken(), (List{filled(0, 1, 100, 4, 6), filled(0, 1, 98, 6, 0)}));
  EXPECT_EQ(book_.size(), 0U);
}

TEST_F(OrderBookTest, CountsUnknownIdsAsEvents) {
  book_.cancel(7);
  book_.reduce(7, 1);
  book_.replace(7, 8, 100, 1);
  book_.execute(7, 0, 1);
  EXPECT_EQ(events_.taken(),
            (List{unknown(7, OrderKind::cancel), unknown(7, OrderKind::reduce),
                  unknown(7, OrderKind::replace), unknown(7, OrderKind::execute)}));
}

TEST_F(OrderBookTest, RejectsWithAReasonAndChangesNothing) {
  buy(1, 100, 10);
  buy(2, 99, 10);
  events_.taken();
  const std::string before = resting();
  buy(3, 100, 0);
  buy(3, 0, 10);
  buy(1, 100, 10);
  book_.add_ioc(0, Side::buy, 3, 0, 1);
  book_.add_ioc(0, Side::buy, 1, 1, 1);
  book_.add_market(0, Side::buy, 3, 0);
  book_.reduce(1, 0);
  book_.execute(1, 0, 0);
  book_.replace(1, 3, 0, 1);
  book_.replace(1, 3, 1, 0);
  book_.replace(1, 2, 1, 1);
  EXPECT_EQ(events_.taken(),
            (List{rejected(3, RejectReason::bad_quantity), rejected(3, RejectReason::bad_price),
                  rejected(1, RejectReason::duplicate_id), rejected(3, RejectReason::bad_price),
                  rejected(1, RejectReason::duplicate_id), rejected(3, RejectReason::bad_quantity),
                  rejected(1, RejectReason::bad_quantity), rejected(1, RejectReason::bad_quantity),
                  rejected(3, RejectReason::bad_price), rejected(3, RejectReason::bad_quantity),
                  rejected(2, RejectReason::duplicate_id)}));
  EXPECT_EQ(resting(), before);
}

TEST_F(OrderBookTest, AFullBookRejectsUntilThereIsRoom) {
  for (std::uint64_t id = 1; id <= 8; ++id) buy(id, static_cast<std::uint32_t>(100 + id), 10);
  events_.taken();
  sell(9, 200, 1);
  sell(9, 1, 1);
  EXPECT_EQ(events_.taken(),
            (List{rejected(9, RejectReason::book_full), rejected(9, RejectReason::book_full)}));
  book_.replace(8, 18, 50, 1);
  EXPECT_EQ(events_.taken().size(), 2U);
  book_.cancel(1);
  events_.taken();
  sell(9, 200, 1);
  EXPECT_EQ(events_.taken(), (List{accepted(9, 200, 1)}));
  EXPECT_EQ(book_.size(), 8U);
}

TEST_F(OrderBookTest, KeepsInstrumentsApart) {
  book_.add_limit(1, Side::buy, 1, 100, 10);
  book_.add_limit(65'535, Side::sell, 2, 90, 10);
  EXPECT_EQ(events_.taken().size(), 2U);
  EXPECT_EQ(book_.best(1, Side::buy), (OrderBook::Quote{100, 10, 1}));
  EXPECT_EQ(book_.best(65'535, Side::sell), (OrderBook::Quote{90, 10, 1}));
  EXPECT_EQ(book_.best(0, Side::buy), std::nullopt);
}

/// The same rules, written for clarity: the book must agree with it, event for event.
class PlainBook {
 public:
  explicit PlainBook(std::size_t most) : most_(most) {}

  void apply(const OrderMessage& order) {
    switch (order.kind) {
      case OrderKind::add_limit:
      case OrderKind::add_ioc:
      case OrderKind::add_market:
        return add(order);
      case OrderKind::cancel:
        if (!known(order)) return;
        emit({order.order_id, 0, price(order), at(order)->quantity, 0, 0, EventKind::cancelled, 1});
        return erase(order.order_id);
      case OrderKind::reduce:
        return reduce(order);
      case OrderKind::replace:
        return replace(order);
      default:
        return execute(order);
    }
  }

  List events;

 private:
  struct Resting {
    std::uint64_t id;
    Side side;
    std::uint32_t price;
    std::uint32_t quantity;
  };

  std::list<Resting>::iterator find(std::uint64_t id) {
    return std::find_if(orders_.begin(), orders_.end(), [&](auto& o) { return o.id == id; });
  }
  std::list<Resting>::iterator at(const OrderMessage& order) { return find(order.order_id); }
  std::uint32_t price(const OrderMessage& order) { return at(order)->price; }
  void erase(std::uint64_t id) { orders_.erase(find(id)); }
  void emit(const OrderEvent& event) { events.push_back(event); }
  bool known(const OrderMessage& order) {
    if (at(order) != orders_.end()) return true;
    emit(unknown(order.order_id, order.kind));
    return false;
  }

  void add(const OrderMessage& order) {
    if (find(order.order_id) != orders_.end()) {
      return emit(rejected(order.order_id, RejectReason::duplicate_id));
    }
    const bool rests = order.kind == OrderKind::add_limit;
    if (rests && orders_.size() == most_) {
      return emit(rejected(order.order_id, RejectReason::book_full));
    }
    std::uint32_t worst = order.price;
    if (order.kind == OrderKind::add_market) worst = order.side == Side::buy ? ~0U : 0;
    enter(order.order_id, order.side, worst, order.quantity, rests);
  }

  void enter(std::uint64_t id, Side side, std::uint32_t worst, std::uint32_t quantity, bool rests) {
    emit(accepted(id, worst, quantity));
    while (quantity != 0) {
      auto best = orders_.end();
      for (auto it = orders_.begin(); it != orders_.end(); ++it) {
        if (it->side == side) continue;
        if (side == Side::buy ? it->price > worst : it->price < worst) continue;
        const bool better = best == orders_.end() ||
                            (side == Side::buy ? it->price < best->price : it->price > best->price);
        if (better) best = it;
      }
      if (best == orders_.end()) break;
      const std::uint32_t taken = std::min(quantity, best->quantity);
      quantity -= taken;
      best->quantity -= taken;
      emit(filled(id, best->id, best->price, taken, best->quantity));
      if (best->quantity == 0) orders_.erase(best);
    }
    if (quantity == 0) return;
    if (!rests) return emit(cancelled(id, worst, quantity, CancelReason::nothing_left_to_match));
    orders_.push_back({id, side, worst, quantity});
  }

  void reduce(const OrderMessage& order) {
    if (!known(order)) return;
    const auto it = at(order);
    if (order.quantity >= it->quantity) {
      emit(cancelled(it->id, it->price, it->quantity, CancelReason::reduced_to_nothing));
      return erase(order.order_id);
    }
    it->quantity -= order.quantity;
    emit({it->id, 0, it->price, order.quantity, it->quantity, 0, EventKind::reduced, 0});
  }

  void replace(const OrderMessage& order) {
    if (!known(order)) return;
    if (order.new_order_id != order.order_id && find(order.new_order_id) != orders_.end()) {
      return emit(rejected(order.new_order_id, RejectReason::duplicate_id));
    }
    const Resting old = *at(order);
    emit({old.id, order.new_order_id, old.price, old.quantity, 0, 0, EventKind::replaced, 0});
    erase(order.order_id);
    enter(order.new_order_id, old.side, order.price, order.quantity, true);
  }

  void execute(const OrderMessage& order) {
    if (!known(order)) return;
    const auto it = at(order);
    const std::uint32_t taken = std::min(order.quantity, it->quantity);
    it->quantity -= taken;
    emit(filled(0, it->id, it->price, taken, it->quantity));
    if (it->quantity == 0) erase(order.order_id);
  }

  std::size_t most_;
  std::list<Resting> orders_;  // by time
};

TEST(OrderBookAgainstThePlainOne, AgreesOnRandomOrders) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    Events events;
    // Small on purpose: a full book, long queues and many prices all happen.
    OrderBook book(60, events);
    PlainBook plain(60);
    const std::uint32_t prices = seed % 2 == 0 ? 8 : 300;
    for (int i = 0; i < 5'000; ++i) {
      OrderMessage order;
      order.order_id = 1 + random.below(120);
      order.new_order_id = 1 + random.below(120);
      order.price = 1'000 + random.below(prices);
      order.quantity = 1 + random.below(20);
      order.side = random.one_in(2) ? Side::buy : Side::sell;
      order.kind = static_cast<OrderKind>(random.one_in(2) ? 1 : 1 + random.below(7));
      plain.apply(order);
      switch (order.kind) {
        case OrderKind::add_limit:
          book.add_limit(0, order.side, order.order_id, order.price, order.quantity);
          break;
        case OrderKind::add_ioc:
          book.add_ioc(0, order.side, order.order_id, order.price, order.quantity);
          break;
        case OrderKind::add_market:
          book.add_market(0, order.side, order.order_id, order.quantity);
          break;
        case OrderKind::cancel:
          book.cancel(order.order_id);
          break;
        case OrderKind::reduce:
          book.reduce(order.order_id, order.quantity);
          break;
        case OrderKind::replace:
          book.replace(order.order_id, order.new_order_id, order.price, order.quantity);
          break;
        default:
          book.execute(order.order_id, 0, order.quantity);
      }
      ASSERT_EQ(events.taken(), std::exchange(plain.events, {}))
          << "seed " << seed << " order " << i;
    }
  }
}

TEST(OrderIndex, AgreesWithAMapThroughManyCollisions) {
  Random random(3);
  OrderIndex index(64);
  std::map<std::uint64_t, std::uint32_t> map;
  for (std::uint32_t i = 1; i < 200'000; ++i) {
    const std::uint64_t id = random.below(200);
    const auto it = map.find(id);
    ASSERT_EQ(index.find(id), it == map.end() ? 0 : it->second);
    if (it != map.end()) {
      index.erase(id);
      map.erase(it);
    } else if (map.size() < 64) {
      index.insert(id, i);
      map[id] = i;
    }
  }
}

}  // namespace
}  // namespace lockstep::examples
