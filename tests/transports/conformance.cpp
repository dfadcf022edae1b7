#include "tests/transports/conformance.hpp"

#include <thread>

#include "runtime/clock.hpp"

namespace lockstep::transports::conformance {
namespace {

/// Slow media, on a busy machine, take seconds for what takes others milliseconds.
constexpr std::uint64_t kDeadlineNs = 30'000'000'000;

}  // namespace

bool run_in_threads(std::vector<Network::Party> parties) {
  const runtime::TscClock clock;
  const std::uint64_t deadline_ns = clock.now_ns() + kDeadlineNs;
  std::atomic<std::size_t> done{0};
  std::vector<std::thread> threads;
  for (Network::Party& party : parties) {
    threads.emplace_back([&] {
      bool counted = false;
      while (done.load() < parties.size() && clock.now_ns() < deadline_ns) {
        if (party() && !counted) {
          counted = true;
          done.fetch_add(1);
        }
        std::this_thread::yield();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return done.load() == parties.size();
}

void Conformance::poll(std::uint32_t rank, std::vector<LinkDown>& downs) {
  std::array<LinkDown, 4> events{};
  const std::size_t count = endpoint(rank).poll(events);
  ASSERT_LE(count, events.size());
  downs.insert(downs.end(), events.begin(), events.begin() + static_cast<std::ptrdiff_t>(count));
}

void Conformance::poll(std::uint32_t rank) {
  std::array<LinkDown, 4> events{};
  EXPECT_EQ(endpoint(rank).poll(events), 0U) << "a link of rank " << rank << " went down";
}

bool Conformance::settle(const std::function<bool()>& done, std::vector<LinkDown>* downs) {
  const runtime::TscClock clock;
  const std::uint64_t deadline_ns = clock.now_ns() + kDeadlineNs;
  while (clock.now_ns() < deadline_ns) {
    if (done()) return true;
    for (std::uint32_t rank = 0; rank < members_; ++rank) {
      if (((ended_ | asleep_) >> rank & 1U) != 0) continue;
      for (LinkId link = 0; link < members_; ++link) {
        if (link != rank) endpoint(rank).flush(link);
      }
      if (downs != nullptr) {
        poll(rank, downs[rank]);
      } else {
        poll(rank);
      }
    }
    network().pump();
  }
  return false;
}

Post Conformance::write(std::uint32_t rank, LinkId link, std::uint32_t copy, std::uint64_t offset,
                        std::span<const std::uint64_t> words, std::uint64_t mark) {
  Post post = Post::would_block;
  EXPECT_TRUE(settle([&] {
    post = endpoint(rank).write(link, copy, offset, std::as_bytes(words), mark);
    return post != Post::would_block;
  }));
  endpoint(rank).flush(link);
  return post;
}

}  // namespace lockstep::transports::conformance
