#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "membership/observation.hpp"
#include "transports/sim/sim_network.hpp"

namespace lockstep::membership {
namespace {

constexpr std::uint64_t kMillisecondNs = 1'000'000;
constexpr std::uint64_t kSecondNs = 1'000 * kMillisecondNs;
constexpr std::uint64_t kRingBytes = 4'096;

/// Rank 0 observes ranks 1 and 2 in virtual time, at the intervals of a real group.
class ObservationTest : public testing::Test {
 protected:
  static constexpr Observation::Options kOptions{.heartbeat_interval_ns = 100 * kMillisecondNs,
                                                 .silence_timeout_ns = 2 * kSecondNs};
  static constexpr std::uint64_t kTickNs = 10 * kMillisecondNs;

  ObservationTest() {
    network_.advance_to(60 * kSecondNs);
    for (std::uint32_t rank = 0; rank < 3; ++rank) {
      orders_.push_back(std::make_unique<ordering::ViewOrder>(
          network_.endpoint(rank), ordering::ViewLayout{.members = 3,
                                                        .my_rank = rank,
                                                        .senders = {0, 1, 2},
                                                        .ring_bytes = kRingBytes,
                                                        .nonces = {11, 12, 13}}));
      beats_at_ns_.push_back(0);
    }
    observation_ = std::make_unique<Observation>(*orders_[0], 3, 0, kOptions);
  }

  /// Time passes. A member that is stopped neither beats nor looks.
  void run(std::uint64_t duration_ns, std::uint64_t stopped = 0) {
    const std::uint64_t until_ns = now_ns() + duration_ns;
    while (now_ns() < until_ns) {
      network_.advance_to(now_ns() + kTickNs);
      for (std::uint32_t rank = 1; rank < 3; ++rank) {
        if ((stopped >> rank & 1U) == 0 && now_ns() >= beats_at_ns_[rank]) beat(rank);
      }
      if ((stopped & 1U) == 0) look();
    }
  }
  void beat(std::uint32_t rank) {
    orders_[rank]->beat();
    beats_at_ns_[rank] = now_ns() + kOptions.heartbeat_interval_ns;
  }
  void look() {
    const std::uint64_t before = observation_->silent();
    observation_->step(now_ns() + jumped_ns_);
    const std::uint64_t fresh = observation_->silent() & ~before;
    for (std::uint32_t rank = 0; rank < 3; ++rank) reports_[rank] += fresh >> rank & 1U;
  }
  /// How long rank 1 is stopped before it is reported.
  std::uint64_t detection_ns() {
    const std::uint64_t from_ns = now_ns();
    while ((observation_->silent() & 0b010U) == 0 && now_ns() < from_ns + 60 * kSecondNs) {
      run(kTickNs, 0b010);
    }
    return now_ns() - from_ns;
  }
  [[nodiscard]] std::uint64_t now_ns() const { return clock_.now_ns(); }

  runtime::ManualClock clock_;
  transports::SimNetwork network_{1,
                                  {.members = 3,
                                   .region_bytes = ordering::region_bytes(kRingBytes),
                                   .source_bytes = kRingBytes,
                                   .clog_permille = 0},
                                  clock_};
  std::vector<std::unique_ptr<ordering::ViewOrder>> orders_;
  std::vector<std::uint64_t> beats_at_ns_;
  std::unique_ptr<Observation> observation_;
  std::uint64_t reports_[3] = {};
  std::uint64_t jumped_ns_ = 0;  ///< what the clock of rank 0 leapt forward
};

// Each test names the broken version that it is there for.

// One that counts from the start of the clock: whoever starts a little later was silent since then.
TEST_F(ObservationTest, SteadyBeatsAreNeverSilence) {
  run(kSecondNs, 0b110);
  run(600 * kSecondNs);
  EXPECT_EQ(reports_[0] + reports_[1] + reports_[2], 0U);
}

// One whose threshold does not follow the gaps it has seen: the last one, just above the timeout,
// would be silence.
TEST_F(ObservationTest, WhoseBeatsComeLateHasLonger) {
  run(kSecondNs);
  for (const std::uint64_t gap_ms : {1'200U, 300U, 1'700U, 900U, 2'600U}) {
    run(gap_ms * kMillisecondNs, 0b010);
    run(200 * kMillisecondNs);
  }
  EXPECT_EQ(reports_[1], 0U);
  // And one that lets the whole group pay for it.
  run(2'600 * kMillisecondNs, 0b100);
  EXPECT_EQ(reports_[2], 1U);
}

// One that never forgets: whoever was late once would be found late for ever.
TEST_F(ObservationTest, LateBeatsAreForgotten) {
  run(kSecondNs);
  run(1'900 * kMillisecondNs, 0b010);
  run(kSecondNs);
  const std::uint64_t soon_ns = detection_ns();
  EXPECT_GT(soon_ns, 3 * kSecondNs);
  run(100 * kSecondNs);
  EXPECT_LT(detection_ns(), 2'400 * kMillisecondNs);
}

// One without compensation for its own delay: after its stall everybody is late at once.
TEST_F(ObservationTest, OwnStallAccusesNobody) {
  run(kSecondNs);
  for (const std::uint64_t stall_ms : {300U, 2'500U, 10'000U, 30'000U}) {
    run(stall_ms * kMillisecondNs, 0b111);
    run(kSecondNs);
  }
  EXPECT_EQ(reports_[1] + reports_[2], 0U);
  // And one that takes its own stall for a gap between others' beats.
  EXPECT_LT(detection_ns(), 2'400 * kMillisecondNs);
}

// One that gives away all that its own turns are late: on a machine with more to do than it can, it
// would take several times the timeout.
TEST_F(ObservationTest, OwnTurnsThatAreAlwaysLateDelayLittle) {
  run(kSecondNs);
  const std::uint64_t from_ns = now_ns();
  while ((observation_->silent() & 0b010U) == 0 && now_ns() < from_ns + 60 * kSecondNs) {
    run(240 * kMillisecondNs, 0b011);
    run(kTickNs, 0b010);
  }
  EXPECT_LT(now_ns() - from_ns, 3 * kSecondNs);
  EXPECT_EQ(reports_[2], 0U);
}

// One whose timeout is that of a fast network: a scheduler alone can hold a process up for this.
TEST_F(ObservationTest, AStallOfASecondIsNotSilence) {
  run(kSecondNs);
  for (int i = 0; i < 20; ++i) {
    run(kSecondNs, 0b010);
    run(300 * kMillisecondNs);
  }
  EXPECT_EQ(reports_[1], 0U);
}

// One that raises thresholds without end: nobody would be detected within the five seconds that
// are promised, after whatever history.
TEST_F(ObservationTest, WhoIsStoppedIsReportedInTime) {
  run(kSecondNs);
  EXPECT_LT(detection_ns(), 2'400 * kMillisecondNs);
  run(kSecondNs);
  EXPECT_EQ(observation_->silent(), 0U);
  EXPECT_LT(detection_ns(), 4'400 * kMillisecondNs);
  run(kSecondNs);
  EXPECT_LT(detection_ns(), 4'400 * kMillisecondNs);
  EXPECT_EQ(reports_[2], 0U);
}

// One without hysteresis: whoever hangs for a little more than the timeout, again and again, would
// be reported at every flap.
TEST_F(ObservationTest, AFlappingMemberIsReportedOnce) {
  run(kSecondNs);
  for (int i = 0; i < 20; ++i) {
    run(2'500 * kMillisecondNs, 0b010);
    run(kSecondNs);
  }
  EXPECT_EQ(reports_[1], 1U);
  // It is somebody like any other when it has behaved for long enough.
  run(100 * kSecondNs);
  EXPECT_LT(detection_ns(), 2'400 * kMillisecondNs);
}

// One that reports at the first look above the threshold: the beat that ends the gap may be under
// way, as it is whenever both were held up by the same thing.
TEST_F(ObservationTest, OneLookIsNotEnough) {
  run(kSecondNs);
  run(2'000 * kMillisecondNs, 0b010);
  while (observation_->deadline_ns() > now_ns() + kTickNs) run(kTickNs, 0b010);
  run(100 * kMillisecondNs, 0b010);  // one look, at which it is late
  run(200 * kMillisecondNs);
  EXPECT_EQ(reports_[1], 0U);
}

// One that takes a leap of the clock for time that others let pass, as when a machine was
// suspended.
TEST_F(ObservationTest, AClockThatJumpsAccusesNobody) {
  run(kSecondNs);
  for (const std::uint64_t jump_s : {3U, 60U, 3'600U}) {
    jumped_ns_ += jump_s * kSecondNs;
    run(kSecondNs);
    EXPECT_EQ(reports_[1] + reports_[2], 0U) << jump_s;
  }
  EXPECT_LT(detection_ns(), 2'400 * kMillisecondNs);
}

// One that acts at once on what others said of it while it was away, or of those who are back.
TEST_F(ObservationTest, WhatIsSaidIsOutOfDateForAMoment) {
  run(kSecondNs);
  EXPECT_FALSE(observation_->in_flux(now_ns()));
  run(3 * kSecondNs, 0b001);
  run(100 * kMillisecondNs);
  EXPECT_TRUE(observation_->in_flux(now_ns()));
  run(500 * kMillisecondNs);
  EXPECT_FALSE(observation_->in_flux(now_ns()));
  run(3 * kSecondNs, 0b110);
  EXPECT_EQ(observation_->silent(), 0b110U);
  EXPECT_FALSE(observation_->in_flux(now_ns()));
  run(200 * kMillisecondNs);
  EXPECT_TRUE(observation_->in_flux(now_ns()));
  // One that a single flapping member of a healthy group could hold up.
  run(100 * kSecondNs);
  run(3 * kSecondNs, 0b010);
  EXPECT_EQ(observation_->silent(), 0b010U);
  run(200 * kMillisecondNs);
  EXPECT_FALSE(observation_->in_flux(now_ns()));
}

}  // namespace
}  // namespace lockstep::membership
