#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "runtime/clock.hpp"
#include "runtime/doorbell.hpp"
#include "runtime/word.hpp"
#include "tests/transports/connected.hpp"
#include "tests/transports/verbs_group.hpp"
#include "tools/launch/local_addresses.hpp"

namespace lockstep::transports {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

/// Two members, whose link breaks, and is made anew while both run (Purpose::mend).
class MadeAnew : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string transport = GetParam();
    if (transport == "verbs") {
      const std::string missing = conformance::VerbsGroup::missing();
      if (!missing.empty()) GTEST_SKIP() << "platform limit: " << missing;
    }
    GroupConfig config{.name = "mend-" + std::to_string(runtime::random_word().value()),
                       .members = {"a", "b"},
                       .transport = transport,
                       .join_timeout_ns = 20 * kSecondNs};
    if (transport != "shm") {
      const std::string family = transport == "auto" ? "tcp" : transport;
      config.addresses = launch::local_addresses(family, 2, {}).value();
    }
    for (runtime::Doorbell& bell : bells_) bell = std::move(runtime::Doorbell::create()).value();
    const auto connect_one = [&](std::uint32_t rank) {
      members_[rank] = connect_all(config, {.my_rank = rank,
                                            .region_bytes = 4'096,
                                            .source_bytes = 64,
                                            .memory = {},
                                            .introduction = {},
                                            .doorbell = bells_[rank].descriptor()});
    };
    // Over shared memory the thread that connects is the one whose death is seen, and leaves by
    // itself: it holds the control page's mutex.
    std::promise<void> connected;
    first_ = std::thread([&, over = over_.get_future()] {
      connect_one(0);
      connected.set_value();
      over.wait();
      members_[0].reset();
    });
    connect_one(1);
    connected.get_future().wait();
    ASSERT_TRUE(members_[0] && members_[1]);
  }

  void TearDown() override {
    over_.set_value();
    if (first_.joinable()) first_.join();
  }

  Transport& transport(std::uint32_t rank) { return *members_[rank]->transport; }

  /// Takes what has arrived, until `done` or too late.
  bool take_until(const std::function<bool()>& done, std::uint64_t most_ns = 20 * kSecondNs) {
    const runtime::TscClock clock;
    const std::uint64_t deadline_ns = clock.now_ns() + most_ns;
    while (!done()) {
      if (clock.now_ns() > deadline_ns) return false;
      for (std::uint32_t rank : {0U, 1U}) {
        for (Arrival& arrival : members_[rank]->greeter->take()) take(rank, arrival);
        std::array<LinkDown, 2> downs;
        transport(rank).poll(downs);
      }
    }
    return true;
  }

  void take(std::uint32_t rank, Arrival& arrival) {
    if (arrival.purpose == Purpose::life_line) {
      transport(rank).hold_life_line(arrival.link, std::move(arrival.life_line));
    }
    if (arrival.purpose != Purpose::mend) return;
    ++mended_[rank];
    EXPECT_EQ(arrival.standing.view, 3U);
    transport(rank).drop(arrival.link);
    EXPECT_TRUE(transport(rank).adopt(std::move(arrival.newcomer)));
  }

  /// A word from each to the other arrives.
  void expect_words_to_arrive(std::uint64_t word) {
    for (const std::uint32_t from : {0U, 1U}) {
      const std::array<std::uint64_t, 1> words{word + from};
      ASSERT_EQ(transport(from).write(1 - from, 1, 64, std::as_bytes(std::span(words)), word),
                Post::posted);
      transport(from).flush(1 - from);
      EXPECT_TRUE(take_until([&] { return word_at(1 - from) == word + from; })) << from;
    }
  }
  std::uint64_t word_at(std::uint32_t rank) {
    const auto place = transport(rank).inbound(1 - rank, 1).subspan(64);
    return runtime::load_acquire(*reinterpret_cast<const std::uint64_t*>(place.data()));
  }

  void break_link() {
    for (const std::uint32_t rank : {0U, 1U}) {
      transport(rank).drop(1 - rank);
      members_[rank]->greeter->forget(1 - rank);
    }
  }
  /// One call may come before the other's thread knows that the link is broken: it is answered with
  /// a refusal, and Member calls again.
  bool mend() {
    mended_[0] = mended_[1] = 0;
    for (int attempt = 0; attempt < 6; ++attempt) {
      members_[1]->greeter->call(0, Purpose::mend);
      const bool done = take_until([&] { return mended_[0] > 0 && mended_[1] > 0; }, 5 * kSecondNs);
      if (done) return true;
    }
    return false;
  }
  void show(std::uint32_t rank, bool broken) {
    members_[rank]->greeter->show({.view = 3, .links = 0b11},
                                  broken ? std::uint64_t{1} << (1 - rank) : 0);
  }

  std::promise<void> over_;
  std::thread first_;
  runtime::Doorbell bells_[2];
  std::unique_ptr<Connection> members_[2];
  int mended_[2] = {};
};

INSTANTIATE_TEST_SUITE_P(shm, MadeAnew, testing::Values("shm"));
INSTANTIATE_TEST_SUITE_P(automatic, MadeAnew, testing::Values("auto"));
INSTANTIATE_TEST_SUITE_P(tcp, MadeAnew, testing::Values("tcp"));
INSTANTIATE_TEST_SUITE_P(verbs, MadeAnew, testing::Values("verbs"));

TEST_P(MadeAnew, TheLinkCarriesWritesAgain) {
  expect_words_to_arrive(100);
  for (std::uint64_t time = 1; time <= 3; ++time) {
    break_link();
    for (const std::uint32_t rank : {0U, 1U}) show(rank, true);
    ASSERT_TRUE(mend());
    for (const std::uint32_t rank : {0U, 1U}) {
      show(rank, false);
      EXPECT_EQ(word_at(rank), 0U) << "its memory is new";
    }
    expect_words_to_arrive(time * 1'000);
  }
}

TEST_P(MadeAnew, OnlyIfBothHaveLostIt) {
  break_link();
  show(0, false);
  show(1, true);
  members_[1]->greeter->call(0, Purpose::mend);
  EXPECT_FALSE(take_until([&] { return mended_[0] > 0 || mended_[1] > 0; }, kSecondNs / 2));
}

}  // namespace
}  // namespace lockstep::transports
