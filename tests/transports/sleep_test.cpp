#include "tests/transports/conformance.hpp"
#include "transports/sim/random.hpp"

namespace lockstep::transports::conformance {
namespace {

using Words = std::vector<std::uint64_t>;

constexpr std::uint64_t kRounds = 1'000;

/// Acknowledges every word rank 0 writes, and sleeps whenever there is none, by the protocol of
/// Transport::announce_sleep. Asleep it looks at nothing but its doorbell.
class Sleeper {
 public:
  Sleeper(Network& network, std::uint32_t rank)
      : network_(network), transport_(network.endpoint(rank)), rank_(rank) {}

  bool step() {
    if (asleep_) {
      if (!network_.doorbell_rang(rank_)) return acknowledged_ == kRounds;
      asleep_ = false;
      transport_.announce_awake();
    }
    if (work()) return acknowledged_ == kRounds;
    transport_.announce_sleep();
    if (work()) {
      transport_.announce_awake();
    } else {
      asleep_ = true;
      ++sleeps_;
    }
    return acknowledged_ == kRounds;
  }

  [[nodiscard]] std::uint64_t sleeps() const { return sleeps_; }

 private:
  bool work() {
    std::array<LinkDown, 4> events{};
    EXPECT_EQ(transport_.poll(events), 0U);
    const std::uint64_t value = load_word(transport_.inbound(0, 0), 0);
    if (value == acknowledged_) return false;
    const Words acknowledgement{value};
    const Post post = transport_.write(0, 0, 0, std::as_bytes(std::span(acknowledgement)), value);
    EXPECT_NE(post, Post::down);
    transport_.flush(0);
    transport_.ring_doorbells();
    if (post == Post::posted) acknowledged_ = value;
    return true;
  }

  Network& network_;
  Transport& transport_;
  const std::uint32_t rank_;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t sleeps_ = 0;
  bool asleep_ = false;
};

TEST_P(Conformance, ASleeperThatLooksOnceMoreMissesNoWakeUp) {
  connect({.members = 2});
  Sleeper sleeper(network(), 1);
  Random random(7);
  std::uint64_t number = 0;
  std::uint64_t pause = 0;
  const auto writer = [&] {
    poll(0);
    const std::uint64_t acknowledged = word(0, 1, 0);
    if (acknowledged == kRounds) return true;
    if (acknowledged < number) return false;
    if (pause > 0) {
      --pause;
      return false;
    }
    const Words value{number + 1};
    const Post post = endpoint(0).write(1, 0, 0, std::as_bytes(std::span(value)), number + 1);
    EXPECT_NE(post, Post::down);
    if (post != Post::posted) return false;
    endpoint(0).flush(1);
    endpoint(0).ring_doorbells();
    ++number;
    pause = random.below(30);
    return false;
  };
  EXPECT_TRUE(network().run({writer, [&] { return sleeper.step(); }})) << "a wake-up was lost";
  EXPECT_GT(sleeper.sleeps(), 0U) << "nothing was tested";
}

TEST_P(Conformance, ADoorbellWakesEveryPeerWrittenTo) {
  connect({.members = 3});
  sleep(1);
  sleep(2);
  for (const LinkId link : {1U, 2U}) {
    EXPECT_EQ(write(0, link, 0, 0, Words{1}, 1), Post::posted);
  }
  endpoint(0).ring_doorbells();
  for (const std::uint32_t rank : {1U, 2U}) {
    EXPECT_TRUE(settle([&] { return network().doorbell_rang(rank); })) << "rank " << rank;
    wake(rank);
    EXPECT_TRUE(settle([&] { return word(rank, 0, 0) == 1; }));
  }
}

TEST_P(Conformance, NobodyIsWokenWithoutADoorbell) {
  connect({.members = 2});
  endpoint(1).announce_sleep();
  if (GetParam().polled) {
    EXPECT_TRUE(settle([&] { return network().doorbell_rang(1); })) << "it sleeps for ever";
    endpoint(1).announce_awake();
    return;
  }
  EXPECT_FALSE(network().doorbell_rang(1));
  endpoint(0).ring_doorbells();
  EXPECT_EQ(write(0, 1, 0, 0, Words{1}, 1), Post::posted);
  EXPECT_TRUE(settle([&] { return word(1, 0, 0) == 1; }));
  EXPECT_FALSE(network().doorbell_rang(1)) << "beats must not wake a sleeper";
  endpoint(1).announce_awake();
}

}  // namespace
}  // namespace lockstep::transports::conformance
