#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "runtime/clock.hpp"
#include "tests/transports/meeting_by_tcp.hpp"
#include "tests/transports/test_key.hpp"

// Meetings of members that come while a group runs.

namespace lockstep::transports {
namespace {

using testing::HasSubstr;

class RunningMeeting : public MeetingByTcp {
 protected:
  /// One member's side: what it met, and the thread that steps it.
  struct Side {
    std::unique_ptr<TcpPlace> place;
    std::unique_ptr<Meeting> meeting;
    std::vector<MetPeer> met;
    Expected<void> stepped;
  };

  /// `rank` of three, of whom only rank 0 is a founder.
  std::unique_ptr<Side> side(std::uint32_t rank, std::uint64_t incarnation,
                             std::uint64_t region_bytes = 4'096) {
    auto made = std::make_unique<Side>();
    MeetingOptions mine = options(rank, 3);
    mine.founders = 1;
    mine.incarnation = incarnation;
    mine.region_bytes = region_bytes;
    mine.timeout_ns = 5 * kSecond;
    made->place = std::make_unique<TcpPlace>(*TcpPlace::make(
        {.group = "hello", .addresses = addresses_, .my_rank = rank, .key = &key_}));
    made->meeting = std::make_unique<Meeting>(
        mine, *made->place, [](std::uint32_t, bool) { return Offer{}; },
        [](std::uint32_t, const std::string&) -> Expected<void> { return {}; },
        [&met = made->met](MetPeer&& peer) -> Expected<void> {
          met.push_back(std::move(peer));
          return {};
        });
    EXPECT_TRUE(made->meeting->open());
    return made;
  }

  /// Turns all of `sides` until `done`, for ten seconds at most.
  static bool step_until(const std::vector<Side*>& sides, const std::function<bool()>& done) {
    const runtime::TscClock clock;
    const std::uint64_t deadline_ns = clock.now_ns() + 10 * kSecond;
    while (!done()) {
      if (clock.now_ns() > deadline_ns) return false;
      for (Side* const one : sides) {
        one->stepped = one->meeting->step();
        one->meeting->wait(-1, 1);
      }
    }
    return true;
  }
  static bool has_link(const Side& side) {
    return std::ranges::any_of(side.met,
                               [](const MetPeer& peer) { return peer.purpose == Purpose::link; });
  }

  std::unique_ptr<Side> running(std::uint64_t room) {
    auto first = side(0, 100);
    EXPECT_TRUE(first->meeting->gather());
    EXPECT_EQ(first->meeting->stage(), Meeting::Stage::gathering);
    first->meeting->run({.view = 7, .links = 1, .room = room});
    return first;
  }

  const GroupKey key_ = test_key();
};

TEST_F(RunningMeeting, WhoComesIsLetInWhereThereIsRoom) {
  const auto first = running(0b110);
  const auto joiner = side(1, 101);
  ASSERT_TRUE(step_until({first.get(), joiner.get()},
                         [&] { return has_link(*first) && has_link(*joiner); }));
  EXPECT_EQ(joiner->meeting->stage(), Meeting::Stage::joining);
  EXPECT_EQ(first->met[0].rank, 1u);
  EXPECT_EQ(first->met[0].standing.incarnation, 101u);
  EXPECT_EQ(first->met[0].standing.view, 0u);
  EXPECT_EQ(first->met[0].introduction, "I am 1");
  EXPECT_EQ(first->meeting->refused(), 0u);
}

TEST_F(RunningMeeting, WithoutRoomTheNewcomerWaits) {
  const auto first = running(0b100);
  const auto joiner = side(1, 101);
  ASSERT_TRUE(step_until({first.get(), joiner.get()},
                         [&] { return joiner->meeting->stage() == Meeting::Stage::joining; }));
  int turns = 0;
  ASSERT_TRUE(step_until({first.get(), joiner.get()}, [&] { return ++turns > 300; }));
  EXPECT_FALSE(has_link(*first));
  EXPECT_FALSE(has_link(*joiner));
  first->meeting->run({.view = 8, .links = 1, .room = 0b110});
  EXPECT_TRUE(step_until({first.get(), joiner.get()},
                         [&] { return has_link(*first) && has_link(*joiner); }));
}

TEST_F(RunningMeeting, ANewIncarnationIsMetOnceTheOldOneIsGone) {
  const auto first = running(0b110);
  for (const std::uint64_t incarnation : {101U, 102U}) {
    const auto joiner = side(1, incarnation);
    first->met.clear();
    ASSERT_TRUE(step_until({first.get(), joiner.get()},
                           [&] { return has_link(*first) && has_link(*joiner); }));
    EXPECT_EQ(first->met[0].standing.incarnation, incarnation);
  }
}

TEST_F(RunningMeeting, ANewcomerThatDoesNotFitIsToldAndCostsTheGroupNothing) {
  const auto first = running(0b110);
  const auto joiner = side(1, 101, 8'192);
  ASSERT_TRUE(step_until({first.get(), joiner.get()}, [&] { return !joiner->stepped; }));
  EXPECT_EQ(joiner->stepped.error().code, ErrorCode::mismatch);
  EXPECT_THAT(joiner->stepped.error().message, HasSubstr("8192"));
  EXPECT_FALSE(has_link(*first));
  const auto other = side(2, 102);
  EXPECT_TRUE(
      step_until({first.get(), other.get()}, [&] { return has_link(*first) && has_link(*other); }));
  EXPECT_TRUE(first->stepped);
  EXPECT_GE(first->meeting->refused(), 1u);
}

// The purposes beside a link: how a member stands, and the state for a joiner.
TEST_F(RunningMeeting, AMemberIsAskedHowItStandsAndForTheState) {
  const auto first = running(0b110);
  const auto joiner = side(1, 101);
  ASSERT_TRUE(step_until({first.get(), joiner.get()},
                         [&] { return has_link(*first) && has_link(*joiner); }));
  joiner->meeting->run({.view = 8, .links = 0b11, .room = 0b100});
  for (const Purpose purpose : {Purpose::question, Purpose::state}) {
    first->met.clear();
    joiner->met.clear();
    joiner->meeting->call(0, purpose);
    ASSERT_TRUE(step_until({first.get(), joiner.get()}, [&] { return !joiner->met.empty(); }));
    EXPECT_EQ(joiner->met[0].purpose, purpose);
    EXPECT_EQ(joiner->met[0].standing.view, 7u);
    if (purpose == Purpose::question) continue;
    ASSERT_TRUE(step_until({first.get()}, [&] { return !first->met.empty(); }));
    EXPECT_EQ(first->met[0].standing.view, 8u);
    EXPECT_TRUE(first->met[0].socket.open());
  }
}

// A thousand connections that say nothing keep nobody out, and are all let go.
TEST_F(RunningMeeting, ACrowdOfStrangersKeepsNobodyOut) {
  const auto first = running(0b110);
  std::vector<Descriptor> crowd;
  for (int i = 0; i < 1'000; ++i) {
    if (i % 50 == 0) first->stepped = first->meeting->step();
    ASSERT_TRUE(first->stepped);
    crowd.push_back(stranger_at(0));
    ASSERT_TRUE(crowd.back().open());
  }
  const auto joiner = side(1, 101);
  EXPECT_TRUE(step_until({first.get(), joiner.get()},
                         [&] { return has_link(*first) && has_link(*joiner); }));
  EXPECT_GT(first->meeting->refused(), 900u);
}

}  // namespace
}  // namespace lockstep::transports
