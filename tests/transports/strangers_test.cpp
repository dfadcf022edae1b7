// Crowds and idlers at the door of a member: bounded in memory and time, counted, told of once.

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <algorithm>
#include <random>

#include "tests/transports/authenticated_meeting.hpp"
#include "transports/hello/authenticated_exchange.hpp"
#include "transports/hello/refusals.hpp"

namespace lockstep::transports {
namespace {

using testing::HasSubstr;
using Clock = std::chrono::steady_clock;

class Strangers : public AuthenticatedMeeting {};

TEST_F(Strangers, AByteASecondIsDroppedAndTheMembersMeet) {
  AuthenticatedExchange true_start(key_, Side::dialler, {.group = "hello"});
  const auto opening = true_start.take_output();
  const auto met = meet_despite([&] {
    const Descriptor slow = stranger_at(0);
    const auto started = Clock::now();
    bool closed = false;
    for (std::size_t i = 0; i < 12 && !closed; ++i) {
      send_all(slow, std::span(opening).subspan(i, 1));
      closed = closed_within(slow, std::chrono::seconds(1));
    }
    EXPECT_TRUE(closed);
    EXPECT_LT(Clock::now() - started, std::chrono::seconds(8));
  });
  ASSERT_TRUE(met);
  EXPECT_THAT(met->notices, testing::ElementsAre(HasSubstr("said too little")));
}

/// A place that takes connections and never answers holds nobody up: it is left and dialled again.
TEST_F(Strangers, AMemberBehindASilentPlaceIsMetLater) {
  Descriptor silent(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  ::setsockopt(silent.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto endpoint = runtime::parse_endpoint(addresses_[0]);
  ASSERT_EQ(::bind(silent.get(), endpoint->generic(), endpoint->length), 0);
  ASSERT_EQ(::listen(silent.get(), 16), 0);
  Expected<Met> met[2];
  std::thread second([&] { met[1] = meet_as(options(1), &key_); });
  pollfd dialled{.fd = silent.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&dialled, 1, 10'000), 1);
  const Descriptor taken(::accept4(silent.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  silent.reset();
  met[0] = meet_as(options(0), &key_);
  second.join();
  for (const auto& one : met) EXPECT_TRUE(one) << one.error().message;
}

/// Who has said what only a member says stays when the door is full of others.
TEST_F(Strangers, ACrowdDoesNotPushAMemberOut) {
  Expected<Met> met;
  std::thread first([&] { met = meet_as(options(0), &key_); });
  AuthenticatedExchange exchange(key_, Side::dialler, {.group = "hello"});
  exchange.say(encode({.medium = Medium::tcp,
                       .rank = 1,
                       .region_bytes = 4'096,
                       .introduction = "I am 1",
                       .parameters = "1 to 0"}));
  const Descriptor member = stranger_at(0);
  const timeval most{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(member.get(), SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
  send_all(member, exchange.take_output());
  Heard heard;
  std::vector<Descriptor> crowd;
  while (heard.what == Heard::What::nothing) {
    std::vector<std::byte> said(exchange.wanted());
    const ssize_t got = ::recv(member.get(), said.data(), said.size(), MSG_WAITALL);
    heard = got == static_cast<ssize_t>(said.size()) ? exchange.hear(said) : refused("pushed out");
    if (!exchange.early() && crowd.empty()) {
      for (int i = 0; i < 100; ++i) crowd.push_back(stranger_at(0));
      EXPECT_TRUE(closed_within(crowd.front(), std::chrono::seconds(4)));
    }
    send_all(member, exchange.take_output());
  }
  EXPECT_EQ(heard.what, Heard::What::hello) << heard.reason;
  first.join();
  ASSERT_TRUE(met) << met.error().message;
  EXPECT_GE(met->refused, 1u);
}

TEST_F(Strangers, AThousandStrangersAtOnceDoNotKeepTheMembersApart) {
  constexpr std::size_t kStrangers = 1'000;
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  const rlim_t before = files.rlim_cur;
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 4'096);
  if (files.rlim_cur < 2 * kStrangers)
    GTEST_SKIP() << "platform limit: 2000 open files are needed, see ulimit -n";
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);

  AuthenticatedExchange true_start(key_, Side::dialler, {.group = "hello"});
  const auto opening = true_start.take_output();
  std::mt19937 random(1);
  std::vector<std::byte> garbage(100'000);
  for (std::byte& byte : garbage) byte = static_cast<std::byte>(random());
  const auto endpoint = runtime::parse_endpoint(addresses_[0]);
  std::vector<Descriptor> strangers;
  const auto started = Clock::now();
  const auto met = meet_despite([&] {
    stranger_at(0);  // somebody listens
    for (std::size_t i = 0; i < kStrangers; ++i) {
      strangers.emplace_back(
          ::socket(endpoint->family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      ::connect(strangers.back().get(), endpoint->generic(), endpoint->length);
    }
    for (std::size_t i = 0; i < kStrangers; ++i) {
      // Silent; garbage; half of what a member says; all of it, and no confirmation.
      if (i % 4 == 1) send_all(strangers[i], garbage);
      if (i % 4 == 2) send_all(strangers[i], std::span(opening).first(opening.size() / 2));
      if (i % 4 == 3) send_all(strangers[i], opening);
    }
  });
  EXPECT_LT(Clock::now() - started, std::chrono::seconds(15));
  ASSERT_TRUE(met);
  EXPECT_GT(met->refused, 100u);
  EXPECT_THAT(met->notices, testing::ElementsAre(HasSubstr("connections from 127.0.0.1")));
  strangers.clear();
  files.rlim_cur = before;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

TEST(Refusals, AreToldOfOncePerAddressAndBounded) {
  Refusals refusals;
  for (int i = 0; i < 3; ++i) refusals.add("10.0.0.1", fmt::format("did this {}", i));
  refusals.add("10.0.0.2", "did that");
  EXPECT_EQ(refusals.total(), 4u);
  EXPECT_THAT(refusals.notices(),
              testing::ElementsAre("refused 3 connections from 10.0.0.1: the first did this 0",
                                   "refused a connection from 10.0.0.2: it did that"));
  for (int i = 0; i < 1'000; ++i) refusals.add(fmt::format("10.1.{}.{}", i / 256, i % 256), "came");
  EXPECT_EQ(refusals.total(), 1'004u);
  const auto notices = refusals.notices();
  EXPECT_EQ(notices.size(), Refusals::kMostAddresses + 1);
  EXPECT_EQ(notices.back(), "refused 986 connections from other addresses");
}

}  // namespace
}  // namespace lockstep::transports
