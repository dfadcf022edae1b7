#include "transports/sim/sim_network.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

namespace lockstep::transports {
namespace {

using Words = std::vector<std::uint64_t>;

struct Observed {
  std::uint64_t now_ns;
  std::uint32_t from;
  std::uint32_t to;
  SimLink::Progress::Kind kind;
  bool operator==(const Observed&) const = default;
};

class Recorder final : public SimObserver {
 public:
  void on_progress(std::uint64_t now_ns, std::uint32_t from, std::uint32_t to,
                   const SimLink::Progress& progress) override {
    events.push_back({now_ns, from, to, progress.kind});
    changed_sources += progress.source_changed ? 1 : 0;
  }
  void on_wake(std::uint64_t, std::uint32_t) override { ++wakes; }
  void on_down(std::uint64_t, std::uint32_t, std::uint32_t) override { ++downs; }

  [[nodiscard]] bool saw(SimLink::Progress::Kind kind) const {
    return std::ranges::any_of(events, [kind](const Observed& e) { return e.kind == kind; });
  }

  std::vector<Observed> events;
  int changed_sources = 0;
  int wakes = 0;
  int downs = 0;
};

std::span<std::uint64_t> source(Transport& transport) {
  return {reinterpret_cast<std::uint64_t*>(transport.source().data()),
          transport.source().size() / 8};
}

std::uint64_t word(Transport& transport, LinkId link, std::size_t index) {
  return reinterpret_cast<const std::uint64_t*>(transport.inbound(link, 0).data())[index];
}

void run_dry(SimNetwork& network) {
  while (network.next_event_ns() != kNever) network.advance_to(network.next_event_ns());
}

std::vector<Observed> history_of(std::uint64_t seed) {
  runtime::ManualClock clock;
  SimNetwork network(seed, {.members = 3}, clock);
  Recorder recorder;
  network.observe(&recorder);
  for (std::uint32_t i = 0; i < 200; ++i) {
    Transport& endpoint = network.endpoint(i % 3);
    endpoint.write((i + 1) % 3, 0, 0, std::as_bytes(source(endpoint).first(i)), i);
    endpoint.flush((i + 1) % 3);
    network.advance_to(clock.now_ns() + 50);
  }
  run_dry(network);
  return recorder.events;
}

TEST(SimNetwork, OneSeedIsOneRun) {
  EXPECT_EQ(history_of(5), history_of(5));
  EXPECT_NE(history_of(5), history_of(6));
}

TEST(SimNetwork, ALargeWriteIsSeenHalfDoneInEveryPermittedShape) {
  for (const WriteOrder order :
       {WriteOrder::first_word_last, WriteOrder::ascending, WriteOrder::unordered}) {
    std::set<std::array<bool, 3>> shapes;  // which of first, middle, last word were there
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
      runtime::ManualClock clock;
      SimNetwork network(seed, {.members = 2, .write_order = order}, clock);
      const auto words = source(network.endpoint(0)).first(100);
      std::ranges::fill(words, 1);
      network.endpoint(0).write(1, 0, 0, std::as_bytes(words), 1);
      network.endpoint(0).flush(1);
      while (network.next_event_ns() != kNever) {
        network.advance_to(network.next_event_ns());
        Transport& reader = network.endpoint(1);
        shapes.insert(
            {word(reader, 0, 0) == 1, word(reader, 0, 50) == 1, word(reader, 0, 99) == 1});
      }
    }
    const auto seen = [&](bool first, bool middle, bool last) {
      return shapes.contains({first, middle, last});
    };
    EXPECT_TRUE(seen(false, false, false));
    EXPECT_TRUE(seen(true, true, true));
    EXPECT_EQ(seen(true, false, false), order != WriteOrder::first_word_last);
    EXPECT_EQ(seen(true, true, false), order != WriteOrder::first_word_last);
    EXPECT_EQ(seen(true, false, true), order == WriteOrder::unordered);
    EXPECT_EQ(seen(false, false, true), order != WriteOrder::ascending);
    EXPECT_EQ(seen(false, true, true), order != WriteOrder::ascending);
  }
}

TEST(SimNetwork, ASourceChangedTooEarlyReachesThePeerOrIsNoticed) {
  int changed_at_peer = 0;
  int noticed = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    runtime::ManualClock clock;
    SimNetwork network(seed, {.members = 2}, clock);
    Recorder recorder;
    network.observe(&recorder);
    const auto words = source(network.endpoint(0)).first(16);
    std::ranges::fill(words, 1);
    network.endpoint(0).write(1, 0, 0, std::as_bytes(words), 1);
    network.endpoint(0).flush(1);
    network.advance_to(1'000);
    if (network.endpoint(0).completed(1) >= 1) continue;
    std::ranges::fill(words, 2);
    run_dry(network);
    const bool reached = word(network.endpoint(1), 0, 0) == 2;
    changed_at_peer += reached ? 1 : 0;
    noticed += recorder.changed_sources;
    EXPECT_NE(reached, recorder.changed_sources == 1);
  }
  EXPECT_GT(changed_at_peer, 0);
  EXPECT_GT(noticed, 0);
}

TEST(SimNetwork, LinksOvertakeOneAnother) {
  int second_first = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    runtime::ManualClock clock;
    SimNetwork network(seed, {.members = 3}, clock);
    const Words one{1};
    network.endpoint(0).write(2, 0, 0, std::as_bytes(std::span(one)), 1);
    network.endpoint(0).flush(2);
    network.endpoint(1).write(2, 0, 0, std::as_bytes(std::span(one)), 1);
    network.endpoint(1).flush(2);
    while (word(network.endpoint(2), 0, 0) == 0 && word(network.endpoint(2), 1, 0) == 0) {
      network.advance_to(network.next_event_ns());
    }
    second_first += word(network.endpoint(2), 0, 0) == 0 ? 1 : 0;
  }
  EXPECT_GT(second_first, 10);
  EXPECT_LT(second_first, 90);
}

TEST(SimNetwork, NothingLeavesWithoutAFlush) {
  runtime::ManualClock clock;
  SimNetwork network(1, {.members = 2, .early_departure_permille = 0}, clock);
  const Words one{1};
  EXPECT_EQ(network.endpoint(0).write(1, 0, 0, std::as_bytes(std::span(one)), 1), Post::posted);
  EXPECT_EQ(network.next_event_ns(), kNever);
  network.endpoint(0).flush(1);
  EXPECT_NE(network.next_event_ns(), kNever);
}

TEST(SimNetwork, ASleeperThatDoesNotLookOnceMoreIsCaught) {
  int lost = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    runtime::ManualClock clock;
    SimNetwork network(seed, {.members = 2}, clock);
    const Words one{1};
    network.endpoint(0).write(1, 0, 0, std::as_bytes(std::span(one)), 1);
    network.endpoint(0).flush(1);
    network.endpoint(0).ring_doorbells();
    network.endpoint(1).announce_sleep();
    const bool seen_by_second_look = word(network.endpoint(1), 0, 0) == 1;
    run_dry(network);
    EXPECT_NE(network.is_woken(1), seen_by_second_look);
    lost += seen_by_second_look ? 1 : 0;
  }
  EXPECT_GT(lost, 10);
  EXPECT_LT(lost, 90);
}

TEST(SimNetwork, ADoorbellOnlyRungAfterTheWriteIsVisibleStillWakes) {
  runtime::ManualClock clock;
  SimNetwork network(3, {.members = 2}, clock);
  network.endpoint(1).announce_sleep();
  const Words one{1};
  network.endpoint(0).write(1, 0, 0, std::as_bytes(std::span(one)), 1);
  network.endpoint(0).flush(1);
  run_dry(network);
  EXPECT_FALSE(network.is_woken(1));
  network.endpoint(0).ring_doorbells();
  EXPECT_TRUE(network.is_woken(1));
}

TEST(SimNetwork, ACrashIsSeenByEveryPeerAndLosesWhatHadNotLeft) {
  int arrived = 0;
  constexpr int kSeeds = 200;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    runtime::ManualClock clock;
    SimNetwork network(seed, {.members = 3}, clock);
    const auto words = source(network.endpoint(0)).first(16);
    std::ranges::fill(words, 1);
    network.endpoint(0).write(1, 0, 0, std::as_bytes(words), 1);
    network.endpoint(0).flush(1);
    network.advance_to(1'000);
    network.crash(0);
    run_dry(network);
    for (const std::uint32_t survivor : {1U, 2U}) {
      std::array<LinkDown, 4> events{};
      ASSERT_EQ(network.endpoint(survivor).poll(events), 1U);
      EXPECT_EQ(events[0].link, 0U);
      EXPECT_EQ(events[0].reason, DownReason::peer_died);
    }
    arrived += word(network.endpoint(1), 0, 0) == 1 ? 1 : 0;
  }
  EXPECT_GT(arrived, kSeeds / 20);
  EXPECT_LT(arrived, kSeeds - kSeeds / 20);
}

TEST(SimNetwork, AnEventNotFetchedKeepsItsMemberAwake) {
  runtime::ManualClock clock;
  SimNetwork network(3, {.members = 2}, clock);
  network.fail_link(0, 1, DownReason::link_failed);
  network.endpoint(0).announce_sleep();
  EXPECT_TRUE(network.is_woken(0));
  network.endpoint(1).announce_sleep();
  EXPECT_FALSE(network.is_woken(1));
  run_dry(network);
  EXPECT_TRUE(network.is_woken(1));
}

}  // namespace
}  // namespace lockstep::transports
