// What the parts of the hot path cost by themselves: one thread, no medium, everything in cache.
// For finding out what a change did; what a user gets is measured by `lockstep bench`.
#include <benchmark/benchmark.h>

#include <memory>
#include <numeric>
#include <span>
#include <vector>

#include "bench/direct_transport.hpp"
#include "bench/payload.hpp"
#include "ordering/region_layout.hpp"
#include "ordering/ring_reader.hpp"
#include "ordering/ring_writer.hpp"
#include "ordering/view_order.hpp"

namespace lockstep::bench {
namespace {

constexpr std::size_t kRingBytes = 1 << 16;
constexpr std::uint64_t kNonce = 0x5bd1e995'9d2c5681;

struct alignas(64) RingMemory {
  std::byte bytes[kRingBytes]{};
};

/// Claims and publishes until the ring is half full, then frees it all.
void claim_publish(benchmark::State& state) {
  const auto payload_bytes = static_cast<std::size_t>(state.range(0));
  const auto memory = std::make_unique<RingMemory>();
  ordering::RingWriter writer(memory->bytes, kNonce, false);
  std::uint64_t sequence = 0;
  for (auto _ : state) {
    if (writer.head() - writer.tail() > kRingBytes / 2) writer.reclaim(sequence, writer.head());
    std::byte* const place = writer.claim(payload_bytes);
    benchmark::DoNotOptimize(place);
    writer.publish(sequence, 0, sequence);
    ++sequence;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(claim_publish)->Arg(0)->Arg(64)->Arg(1'024)->Arg(10'240);

/// Sweeps a ring full of frames; the payloads are not touched.
void ring_sweep(benchmark::State& state) {
  const auto payload_bytes = static_cast<std::size_t>(state.range(0));
  const auto memory = std::make_unique<RingMemory>();
  ordering::RingWriter writer(memory->bytes, kNonce, false);
  const ordering::RingReader reader(memory->bytes, kNonce, ordering::Trust::marker_last);
  std::int64_t frames = 0;
  while (writer.claim(payload_bytes) != nullptr) {
    writer.publish(0, 0, static_cast<std::uint64_t>(frames++));
  }
  for (auto _ : state) {
    ordering::FrameRef frame;
    std::uint64_t position = 0;
    while (reader.read(position, frame) == ordering::Read::frame) {
      position = frame.next_position;
      if (position >= kRingBytes) break;
    }
    benchmark::DoNotOptimize(position);
  }
  state.SetItemsProcessed(state.iterations() * frames);
}
BENCHMARK(ring_sweep)->Arg(0)->Arg(64)->Arg(1'024);

class Summing final : public MessageHandler {
 public:
  void apply(const Message& message) override {
    digest_.add(message.sequence, message.sender, sum(message.payload));
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return digest_.value(); }

 private:
  Digest digest_;
};

/// All members of a view in one thread.
class View {
 public:
  explicit View(std::uint32_t members) {
    ordering::ViewLayout layout;
    layout.members = members;
    layout.ring_bytes = kRingBytes;
    layout.senders.resize(members);
    std::iota(layout.senders.begin(), layout.senders.end(), 0U);
    layout.nonces.assign(members, kNonce);
    const std::size_t region_bytes = ordering::region_bytes(kRingBytes);
    for (std::uint32_t rank = 0; rank < members; ++rank) {
      media_.push_back(std::make_unique<DirectTransport>(members, region_bytes, region_bytes));
    }
    for (std::uint32_t rank = 0; rank < members; ++rank) {
      for (std::uint32_t peer = 0; peer < members; ++peer) {
        if (peer != rank) media_[rank]->connect(peer, *media_[peer], rank);
      }
      layout.my_rank = rank;
      orders_.push_back(std::make_unique<ordering::ViewOrder>(*media_[rank], layout));
    }
  }

  [[nodiscard]] ordering::ViewOrder& order(std::size_t rank) { return *orders_[rank]; }

  bool publish(std::size_t rank, std::size_t bytes) {
    std::byte* const place = orders_[rank]->claim(bytes);
    if (place == nullptr) return false;
    fill({place, bytes}, rank);
    orders_[rank]->publish(0);
    return true;
  }

  /// One turn of everybody's loop.
  void turn() {
    for (const auto& order : orders_) {
      const bool received = order->receive();
      const bool delivered = order->deliver(handler_);
      order->send(received || delivered);
    }
  }

  [[nodiscard]] std::uint64_t digest() const noexcept { return handler_.value(); }

 private:
  std::vector<std::unique_ptr<DirectTransport>> media_;
  std::vector<std::unique_ptr<ordering::ViewOrder>> orders_;
  Summing handler_;
};

/// Everything a message of 64 bytes costs all members together, media excepted: publish, copies to
/// the peers, sweeps, stability, delivery to each.
void order_messages(benchmark::State& state) {
  const auto members = static_cast<std::size_t>(state.range(0));
  View view(static_cast<std::uint32_t>(members));
  std::int64_t messages = 0;
  for (auto _ : state) {
    for (std::size_t rank = 0; rank < members; ++rank) {
      for (int i = 0; i < 16; ++i) messages += view.publish(rank, 64) ? 1 : 0;
    }
    view.turn();
  }
  benchmark::DoNotOptimize(view.digest());
  state.SetItemsProcessed(messages);
}
BENCHMARK(order_messages)->Arg(2)->Arg(3)->Arg(8);

/// A fruitless look at every row and ring, and the least of all rows: what stability costs a
/// member that spins, by members of the view.
void stability(benchmark::State& state) {
  View view(static_cast<std::uint32_t>(state.range(0)));
  Summing handler;
  for (auto _ : state) {
    benchmark::DoNotOptimize(view.order(0).receive());
    benchmark::DoNotOptimize(view.order(0).deliver(handler));
  }
}
BENCHMARK(stability)->Arg(2)->Arg(3)->Arg(8)->Arg(64);

}  // namespace
}  // namespace lockstep::bench

BENCHMARK_MAIN();
