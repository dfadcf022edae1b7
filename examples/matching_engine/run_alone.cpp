#include <array>
#include <chrono>
#include <span>
#include <thread>

#include "examples/matching_engine/pacing.hpp"
#include "examples/matching_engine/run.hpp"

namespace lockstep::examples {
namespace {

/// Sleeps while there is time for it, then spins: a sleep ends some 50 µs late.
void wait_until(std::uint64_t due_ns) {
  constexpr std::uint64_t kSpinNs = 200'000;
  while (true) {
    const std::uint64_t now = now_ns();
    if (now >= due_ns) return;
    if (due_ns - now > kSpinNs) {
      std::this_thread::sleep_for(std::chrono::nanoseconds(due_ns - now - kSpinNs));
    }
  }
}

}  // namespace

Expected<void> run_alone(OrderSource& source, const FlowSummary& summary, const Options& options,
                         MemberResult& result) {
  MatchingEngine engine(options.book_orders);
  const std::uint64_t start_ns = now_ns();
  const Pacing pacing(options.speed_up, summary.first_time_ns, start_ns);
  std::array<OrderMessage, 256> orders;
  while (true) {
    const auto got = source.next(orders);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) break;
    // As fast as it goes, an order begins when the one before it is through: one clock reading.
    std::uint64_t before_ns = now_ns();
    for (const OrderMessage& order : std::span(orders).first(*got)) {
      if (pacing.paced()) {
        before_ns = pacing.due_ns(order.time_ns);
        wait_until(before_ns);
      }
      engine.apply(order);
      const std::uint64_t after_ns = now_ns();
      result.latency.record(after_ns - before_ns);
      before_ns = after_ns;
    }
  }
  result.wall_ns = now_ns() - start_ns;
  result.digest = engine.digest();
  result.counts = engine.counts();
  result.resting_orders = engine.book().size();
  result.finished = true;
  return {};
}

}  // namespace lockstep::examples
