#include "examples/matching_engine/generator.hpp"

#include <algorithm>
#include <array>

namespace lockstep::examples {
namespace {

constexpr std::uint64_t kOpeningNs = 34'200'000'000'000;  // half past nine
constexpr std::uint32_t kTick = 100;                      // one cent
constexpr std::uint32_t kOpeningPrice = 5'853'000;
constexpr std::uint32_t kLowestMiddle = 1'000'000;
constexpr std::uint32_t kHighestMiddle = 20'000'000;
constexpr std::size_t kMostLive = 1 << 16;
/// Around this many live orders executions and deletions balance submissions.
constexpr std::size_t kUsualLive = 1'000;

/// The times between messages: what share of them (in 1/1000) is not longer than this. Between two
/// points the share grows evenly.
struct Quantile {
  std::uint32_t permille;
  std::uint64_t ns;
};
constexpr std::array kGaps{
    Quantile{0, 0},
    Quantile{64, 0},
    Quantile{100, 2'700},
    Quantile{200, 29'000},
    Quantile{300, 74'000},
    Quantile{400, 132'000},
    Quantile{500, 459'000},
    Quantile{600, 963'000},
    Quantile{700, 3'700'000},
    Quantile{800, 18'400'000},
    Quantile{900, 103'000'000},
    Quantile{950, 240'000'000},
    Quantile{990, 646'000'000},
    Quantile{1000, 1'480'000'000},
};

/// The lengths of phases in messages, on average. A burst takes its gaps from the lowest tenth of
/// kGaps, a busy phase from the next six tenths, a calm one from the rest. Each phase is left with
/// a probability that makes messages spend just those shares of their number in it, so all gaps
/// together keep the distribution of kGaps while neighbours resemble each other: that gives up to
/// about 60 messages in 100 µs and 400 in 1 s.
constexpr std::uint32_t kBurstLength = 8;
constexpr std::uint32_t kBusyLength = 40;
constexpr std::uint32_t kBurstAfterBusy = 6 * kBurstLength;  // one burst per so many busy messages
constexpr std::uint32_t kCalmLength = kBusyLength / 2;
constexpr std::uint32_t kBurstPermille = 100;
constexpr std::uint32_t kBusyPermille = 700;

/// Common sizes of orders, and how often, in 1/100.
struct Size {
  std::uint32_t percent;
  std::uint32_t quantity;
};
constexpr std::array kSizes{Size{53, 100}, Size{11, 18}, Size{7, 200}, Size{4, 22},
                            Size{3, 1000}, Size{2, 20},  Size{2, 1}};
constexpr std::uint32_t kOtherSizes = 500;

std::uint64_t gap_at(std::uint32_t permille, std::uint32_t fraction) {
  const auto* above = std::ranges::upper_bound(kGaps, permille, {}, &Quantile::permille);
  const auto* below = above - 1;
  const std::uint64_t width = above->permille - below->permille;
  // Position between the two points in units of width / 2^32.
  const std::uint64_t position =
      (std::uint64_t{permille - below->permille} << 32 | fraction) / width;
  const std::uint64_t rise = above->ns - below->ns;
  return below->ns + (rise * (position >> 2) >> 30);
}

}  // namespace

OrderGenerator::OrderGenerator(std::uint64_t seed, std::uint64_t orders)
    : seed_(seed), most_orders_(orders), random_(seed) {
  live_.reserve(kMostLive);
  rewind();
}

void OrderGenerator::rewind() {
  random_ = Random(seed_);
  live_.clear();
  made_ = 0;
  time_ns_ = kOpeningNs;
  last_id_ = 0;
  middle_ = kOpeningPrice;
  pace_ = Pace::busy;
}

Expected<std::size_t> OrderGenerator::next(std::span<OrderMessage> into) {
  const auto count =
      static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), most_orders_ - made_));
  for (OrderMessage& order : into.first(count)) order = make();
  made_ += count;
  return count;
}

OrderMessage OrderGenerator::make() {
  OrderMessage order;
  time_ns_ += gap_ns();
  order.time_ns = time_ns_;
  wander();
  // Deletions and executions need a live order and submissions a place for one more.
  const std::uint32_t permille = random_.below(1'000);
  if (permille >= 976) {
    trade_hidden(order);
  } else if (live_.empty() || (permille < 481 && live_.size() < kMostLive)) {
    submit(order);
  } else if (permille >= 932) {
    execute(order);
  } else if (permille >= 927) {
    reduce(order);
  } else {
    remove(order);
  }
  return order;
}

std::uint64_t OrderGenerator::gap_ns() {
  switch (pace_) {
    case Pace::burst:
      if (random_.one_in(kBurstLength)) pace_ = Pace::busy;
      break;
    case Pace::busy: {
      // One draw for both ways out, or the second would be taken a little less often than it says.
      const std::uint32_t drawn = random_.below(kBurstAfterBusy * kBusyLength);
      if (drawn < kBusyLength) {
        pace_ = Pace::burst;
      } else if (drawn < kBusyLength + kBurstAfterBusy) {
        pace_ = Pace::calm;
      }
      break;
    }
    case Pace::calm:
      if (random_.one_in(kCalmLength)) pace_ = Pace::busy;
      break;
  }
  const auto fraction = static_cast<std::uint32_t>(random_.next());
  switch (pace_) {
    case Pace::burst:
      return gap_at(random_.below(kBurstPermille), fraction);
    case Pace::busy:
      return gap_at(kBurstPermille + random_.below(kBusyPermille - kBurstPermille), fraction);
    case Pace::calm:
      break;
  }
  return gap_at(kBusyPermille + random_.below(1'000 - kBusyPermille), fraction);
}

/// The middle takes a step of one tick now and then.
void OrderGenerator::wander() {
  if (!random_.one_in(256)) return;
  const bool up = random_.one_in(2);
  if (up && middle_ < kHighestMiddle) middle_ += kTick;
  if (!up && middle_ > kLowestMiddle) middle_ -= kTick;
}

void OrderGenerator::submit(OrderMessage& order) {
  order.order_id = ++last_id_;
  order.side = random_.one_in(2) ? Side::buy : Side::sell;
  order.quantity = quantity();
  const std::uint32_t off = distance() * kTick;
  const std::uint32_t better = order.side == Side::buy ? middle_ + off : middle_ - off;
  const std::uint32_t worse = order.side == Side::buy ? middle_ - off : middle_ + off;
  if (random_.one_in(100)) {
    order.kind = static_cast<OrderKind>(1 + random_.below(3));
    order.price = order.kind == OrderKind::add_market ? 0 : better;
    return;
  }
  order.kind = OrderKind::add_limit;
  order.price = worse;
  live_.push_back({order.order_id, order.price, order.quantity, order.side});
}

void OrderGenerator::reduce(OrderMessage& order) {
  const std::size_t at = random_.below(static_cast<std::uint32_t>(live_.size()));
  Live& live = live_[at];
  order.kind = OrderKind::reduce;
  order.order_id = live.order_id;
  order.side = live.side;
  order.quantity = 1 + random_.below(live.quantity);
  live.quantity -= order.quantity;
  if (live.quantity == 0) forget(at);
}

/// Mostly orders that were submitted a short while ago are taken back.
void OrderGenerator::remove(OrderMessage& order) {
  const auto count = static_cast<std::uint32_t>(live_.size());
  const std::uint32_t among = random_.one_in(4) ? count : std::min<std::uint32_t>(count, 64);
  const std::size_t at = count - 1 - random_.below(among);
  order.kind = OrderKind::cancel;
  order.order_id = live_[at].order_id;
  order.side = live_[at].side;
  forget(at);
}

void OrderGenerator::execute(OrderMessage& order) {
  const std::size_t at = near_the_middle();
  Live& live = live_[at];
  const bool whole = live_.size() > kUsualLive || random_.one_in(2);
  order.kind = OrderKind::execute;
  order.order_id = live.order_id;
  order.side = live.side;
  order.price = live.price;
  order.quantity = whole ? live.quantity : 1 + random_.below(live.quantity);
  live.quantity -= order.quantity;
  if (live.quantity == 0) forget(at);
}

void OrderGenerator::trade_hidden(OrderMessage& order) {
  order.kind = OrderKind::hidden_trade;
  order.side = random_.one_in(2) ? Side::buy : Side::sell;
  order.price = middle_;
  order.quantity = quantity();
}

std::uint32_t OrderGenerator::quantity() {
  std::uint32_t percent = random_.below(100);
  for (const Size& size : kSizes) {
    if (percent < size.percent) return size.quantity;
    percent -= size.percent;
  }
  return 1 + random_.below(kOtherSizes);
}

/// How many ticks off the middle: half of all orders within the first ten, few beyond a hundred.
std::uint32_t OrderGenerator::distance() {
  const std::uint32_t within = random_.one_in(2) ? 10 : random_.one_in(4) ? 200 : 40;
  return 1 + random_.below(within);
}

/// The one closest to the middle of eight live orders: executions happen at the best prices.
std::size_t OrderGenerator::near_the_middle() {
  const auto count = static_cast<std::uint32_t>(live_.size());
  const auto off = [this](std::size_t at) {
    const std::uint32_t price = live_[at].price;
    return price > middle_ ? price - middle_ : middle_ - price;
  };
  std::size_t nearest = random_.below(count);
  for (int i = 1; i < 8; ++i) {
    const std::size_t at = random_.below(count);
    if (off(at) < off(nearest)) nearest = at;
  }
  return nearest;
}

/// Order among the live ones tells their age only roughly afterwards; that is enough.
void OrderGenerator::forget(std::size_t at) {
  live_[at] = live_.back();
  live_.pop_back();
}

}  // namespace lockstep::examples
