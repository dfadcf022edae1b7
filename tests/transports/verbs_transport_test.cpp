#include "transports/verbs/verbs_transport.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "runtime/clock.hpp"
#include "tests/transports/conformance.hpp"
#include "tests/transports/verbs_group.hpp"
#include "transports/verbs/parameters.hpp"

namespace lockstep::transports::conformance {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::size_t kRegionBytes = 4'096;

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator entries("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

class Verbs : public testing::Test {
 protected:
  void SetUp() override {
    const std::string missing = VerbsGroup::missing();
    if (!missing.empty()) GTEST_SKIP() << "platform limit: " << missing;
    auto group = VerbsGroup::connect(2, kRegionBytes, 1 << 16);
    ASSERT_TRUE(group) << group.error().message;
    group_ = std::make_unique<VerbsGroup>(std::move(*group));
  }

  VerbsTransport& end(std::uint32_t rank) { return group_->endpoint(rank); }

  Post write_word(std::uint32_t rank, std::uint64_t value) {
    return end(rank).write(1 - rank, 0, 0, std::as_bytes(std::span(&value, 1)), value);
  }
  std::uint64_t word(std::uint32_t rank) { return load_word(end(rank).inbound(1 - rank, 0), 0); }

  /// Waits as a sleeping reactor does.
  bool is_woken(std::uint32_t rank) {
    std::vector<pollfd> waited_on;
    for (const int descriptor : end(rank).descriptors())
      waited_on.push_back({descriptor, POLLIN, 0});
    return ::poll(waited_on.data(), waited_on.size(), 10'000) > 0;
  }

  /// Polls the ends in `ranks` until `done`; keeps what went down.
  bool poll_until(const std::function<bool()>& done, std::initializer_list<std::uint32_t> ranks) {
    const std::uint64_t deadline_ns = clock_.now_ns() + 20 * kSecond;
    while (!done() && clock_.now_ns() < deadline_ns) {
      for (const std::uint32_t rank : ranks) {
        std::array<LinkDown, 2> events{};
        const std::size_t count = end(rank).poll(events);
        downs_[rank].insert(downs_[rank].end(), events.begin(), events.begin() + count);
      }
    }
    return done();
  }

  runtime::TscClock clock_;
  std::unique_ptr<VerbsGroup> group_;
  std::array<std::vector<LinkDown>, 2> downs_;
};

TEST_F(Verbs, ASteadyStreamTakesOneWorkRequestAMessage) {
  constexpr std::uint64_t kMessages = 5'000;
  end(1).set_never_sleeps(true);
  end(0).set_never_sleeps(true);
  ASSERT_TRUE(poll_until([&] { return end(1).statistics().work_requests == 1; }, {0, 1}));
  std::uint64_t posted = 0;
  ASSERT_TRUE(poll_until(
      [&] {
        if (posted < kMessages && write_word(0, posted + 1) == Post::posted) ++posted;
        if (posted % 8 == 0) {
          end(0).flush(1);
          end(0).ring_doorbells();
        }
        return word(1) == kMessages;
      },
      {0, 1}));
  const VerbsStatistics counts = end(0).statistics();
  EXPECT_LE(counts.work_requests, kMessages * 12 / 10);
  EXPECT_LE(counts.signalled, kMessages / 32) << "few are signalled";
  EXPECT_LE(counts.chains, kMessages / 4) << "the device is rung once a flush";
}

TEST_F(Verbs, APeerThatNeverSleepsGetsNoDoorbells) {
  ASSERT_EQ(write_word(0, 1), Post::posted);
  end(0).flush(1);
  end(0).ring_doorbells();
  EXPECT_EQ(end(0).statistics().doorbells, 1U);
  end(1).set_never_sleeps(true);
  ASSERT_TRUE(
      poll_until([&] { return end(1).statistics().completions > 0 || word(1) == 1; }, {0, 1}));
  // The word is on its way; a few writes later it has come.
  std::uint64_t value = 1;
  std::uint64_t before = 0;
  ASSERT_TRUE(poll_until(
      [&] {
        before = end(0).statistics().doorbells;
        if (write_word(0, ++value) != Post::posted) return false;
        end(0).flush(1);
        end(0).ring_doorbells();
        return end(0).statistics().doorbells == before;
      },
      {0, 1}));
}

TEST_F(Verbs, DoorbellsNobodyReadsAreOwedNotLost) {
  constexpr std::uint64_t kWrites = 1'000;
  const auto write_and_ring = [&](std::uint64_t value) {
    if (write_word(0, value) != Post::posted) return false;
    end(0).flush(1);
    end(0).ring_doorbells();
    return true;
  };
  std::uint64_t value = 0;
  // Rank 1 does not poll: its receives are used up, and the writes go on all the same.
  ASSERT_TRUE(poll_until(
      [&] {
        if (value < kWrites && write_and_ring(value + 1)) ++value;
        return word(1) == kWrites;
      },
      {0}));
  EXPECT_EQ(end(0).statistics().doorbells, VerbsLink::kReceives);
  // Once it reads them, what is owed is paid.
  std::array<LinkDown, 2> events{};
  EXPECT_EQ(end(1).poll(events), 0U);
  ASSERT_TRUE(
      poll_until([&] { return end(0).statistics().doorbells > VerbsLink::kReceives; }, {0, 1}));
  EXPECT_TRUE(downs_[0].empty());
}

TEST_F(Verbs, ASleeperSendsWhatItOwesFirst) {
  constexpr std::uint64_t kWrites = VerbsLink::kReceives + 8;
  for (std::uint64_t value = 1; value <= kWrites; ++value) {
    ASSERT_EQ(write_word(0, value), Post::posted);
    end(0).ring_doorbells();
  }
  EXPECT_EQ(end(0).statistics().doorbells, VerbsLink::kReceives);
  end(0).announce_sleep();
  EXPECT_EQ(end(0).statistics().doorbells, VerbsLink::kReceives + 1);
  end(0).announce_awake();
  // The one too many is repeated until rank 1 polls; the link lives.
  ASSERT_TRUE(poll_until([&] { return word(1) == kWrites; }, {1}));
  ASSERT_EQ(write_word(0, kWrites + 1), Post::posted);
  end(0).flush(1);
  EXPECT_TRUE(poll_until([&] { return word(1) == kWrites + 1; }, {0, 1}));
  EXPECT_TRUE(downs_[0].empty());
}

TEST_F(Verbs, APeerThatLeavesIsToldApartFromOneThatIsGone) {
  group_->end(1);
  ASSERT_TRUE(poll_until([&] { return !downs_[0].empty(); }, {0}));
  EXPECT_EQ(downs_[0][0].reason, DownReason::peer_left);
}

TEST_F(Verbs, AQueuePairThatIsGoneIsUnreachableWithinTwoSeconds) {
  end(1).drop(0);
  ASSERT_EQ(write_word(0, 1), Post::posted);
  end(0).flush(1);
  const std::uint64_t start_ns = clock_.now_ns();
  ASSERT_TRUE(poll_until([&] { return !downs_[0].empty(); }, {0, 1}));
  EXPECT_LT(clock_.now_ns() - start_ns, 2 * kSecond);
  EXPECT_EQ(downs_[0][0].reason, DownReason::unreachable);
  EXPECT_TRUE(downs_[1].empty());
}

TEST_F(Verbs, ASleeperIsWokenWhenItsLinkBreaks) {
  end(1).drop(0);
  ASSERT_EQ(write_word(0, 1), Post::posted);
  end(0).flush(1);
  end(0).announce_sleep();
  EXPECT_TRUE(is_woken(0));
  end(0).announce_awake();
  ASSERT_TRUE(poll_until([&] { return !downs_[0].empty(); }, {0}));
  EXPECT_EQ(downs_[0][0].reason, DownReason::unreachable);
}

TEST_F(Verbs, ASleeperIsWokenByWhatItIsOwed) {
  for (std::uint64_t value = 1; value <= 2 * VerbsLink::kReceives; ++value) {
    ASSERT_EQ(write_word(0, value), Post::posted);
    end(0).ring_doorbells();
  }
  ASSERT_TRUE(poll_until([&] { return word(1) == 2 * VerbsLink::kReceives; }, {0}));
  // Rank 1 reads all doorbells that came and sleeps; only then does rank 0 learn that it has
  // credit.
  end(1).announce_sleep();
  end(1).announce_awake();
  end(1).announce_sleep();
  ASSERT_TRUE(
      poll_until([&] { return end(0).statistics().doorbells > VerbsLink::kReceives; }, {0}));
  EXPECT_TRUE(is_woken(1));
  end(1).announce_awake();
}

TEST_F(Verbs, WhoeverKnowsMoreCanEndALink) {
  end(0).fail_link(1, DownReason::peer_died);
  end(0).fail_link(1, DownReason::link_failed);
  // A sleeper is told of it too.
  end(0).announce_sleep();
  end(0).announce_awake();
  ASSERT_TRUE(poll_until([&] { return !downs_[0].empty(); }, {0}));
  int polls = 0;
  ASSERT_TRUE(poll_until([&] { return ++polls > 100; }, {0}));
  ASSERT_EQ(downs_[0].size(), 1U);
  EXPECT_EQ(downs_[0][0].reason, DownReason::peer_died);
  EXPECT_EQ(write_word(0, 1), Post::down);
}

TEST_F(Verbs, NothingIsLeftOpen) {
  const std::size_t before = open_descriptors();
  for (int round = 0; round < 3; ++round) {
    auto other = VerbsGroup::connect(3, kRegionBytes, 1 << 16);
    ASSERT_TRUE(other) << other.error().message;
    other->endpoint(0).drop(1);
    other->endpoint(1).fail_link(2, DownReason::link_failed);
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(Verbs, TheDeviceOfAnAddressIsFound) {
  const std::vector<std::string> devices = rdma_devices();
  for (const std::string& device : devices) {
    auto by_name = VerbsDevice::open({.device = device});
    ASSERT_TRUE(by_name) << by_name.error().message;
    auto by_address = VerbsDevice::open({.address = text_of(by_name->gid())});
    ASSERT_TRUE(by_address) << by_address.error().message;
    EXPECT_EQ(by_address->text(), by_name->text());
    EXPECT_GE(by_address->address_descriptor(), 0);
  }
  auto nearest = VerbsDevice::open({.core = 0});
  ASSERT_TRUE(nearest) << nearest.error().message;
}

TEST_F(Verbs, WritesTravelByIpv6Too) {
  // Index 0 is the link-local address that every interface has.
  const auto device = VerbsDevice::open({.device = rdma_devices().front(), .gid_index = 0});
  if (!device) GTEST_SKIP() << "platform limit: the first GID is no RoCE v2 address here";
  ASSERT_EQ(text_of(device->gid()).substr(0, 4), "fe80");
  auto group = VerbsGroup::connect(2, kRegionBytes, 1 << 16, 0);
  ASSERT_TRUE(group) << group.error().message;
  *group_ = std::move(*group);
  ASSERT_EQ(write_word(0, 7), Post::posted);
  ASSERT_EQ(write_word(1, 8), Post::posted);
  end(0).flush(1);
  end(1).flush(0);
  EXPECT_TRUE(poll_until([&] { return word(1) == 7 && word(0) == 8; }, {0, 1}));
}

TEST_F(Verbs, WhatIsNotThereIsNamed) {
  const std::string device = rdma_devices().front();
  const auto refused = [](DeviceChoice choice, const char* word) {
    const auto opened = VerbsTransport::open(small_options(std::move(choice)));
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().message.find(word), std::string::npos) << opened.error().message;
  };
  refused({.device = "no-such-device"}, device.c_str());
  refused({.address = "192.0.2.1"}, "192.0.2.1");
  refused({.address = "a-host-name"}, "a-host-name");
  refused({.device = device, .gid_index = 200}, "GID index 200");
}

TEST_F(Verbs, RefusesPeersThatDoNotFit) {
  auto one = VerbsTransport::open(small_options({})).value();
  const auto maker = one->link_maker();
  const auto refusal_of = [&](const std::string& parameters) {
    EXPECT_TRUE(maker->offer_for(1, false));
    const auto made = take(*maker, *one, 1, {.parameters = parameters, .descriptors = {}});
    return made ? ErrorCode::input : made.error().code;
  };
  VerbsParameters peer = decode(maker->offer_for(1, false).value().parameters).value();
  peer.region_bytes = 2 * kRegionBytes;
  EXPECT_EQ(refusal_of(encode(peer)), ErrorCode::mismatch);
  EXPECT_EQ(refusal_of("garbage"), ErrorCode::mismatch);
  peer.region_bytes = kRegionBytes;
  peer.ethernet = !peer.ethernet;
  EXPECT_EQ(refusal_of(encode(peer)), ErrorCode::mismatch);
}

TEST_F(Verbs, APortThatGoesDownTakesItsLinksDownAndWakesASleeper) {
  const char* cut = std::getenv("LOCKSTEP_CUT_PORT");
  const char* mend = std::getenv("LOCKSTEP_MEND_PORT");
  if (cut == nullptr || mend == nullptr) {
    GTEST_SKIP() << "platform limit: no LOCKSTEP_CUT_PORT and LOCKSTEP_MEND_PORT, commands for it";
  }
  end(0).announce_sleep();
  ASSERT_EQ(std::system(cut), 0);
  EXPECT_TRUE(is_woken(0));
  end(0).announce_awake();
  EXPECT_TRUE(poll_until([&] { return !downs_[0].empty(); }, {0}));
  int polls = 0;
  EXPECT_TRUE(poll_until([&] { return ++polls > 10'000; }, {0}));
  const auto opened = VerbsDevice::open({.device = rdma_devices().front()});
  EXPECT_EQ(std::system(mend), 0);
  ASSERT_EQ(downs_[0].size(), 1U);
  EXPECT_EQ(downs_[0][0].reason, DownReason::port_down);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("is down"), std::string::npos) << opened.error().message;
}

}  // namespace
}  // namespace lockstep::transports::conformance
