// Meetings of members that have a key, over TCP, with the wrong ones among them. Every meeting has
// a deadline of seconds.

#include "tests/transports/authenticated_meeting.hpp"

#include <gmock/gmock.h>

#include "tests/transports/relay.hpp"
#include "transports/hello/authenticated_exchange.hpp"
#include "transports/hello/tcp_conversation.hpp"

namespace lockstep::transports {
namespace {

using testing::HasSubstr;
using Clock = std::chrono::steady_clock;

TEST_F(AuthenticatedMeeting, RightKeyMeets) {
  for (const auto& met : meet_three(&key_)) {
    ASSERT_TRUE(met);
    EXPECT_THAT(met->notices, testing::IsEmpty());
    EXPECT_EQ(met->refused, 0u);
  }
}

TEST_F(AuthenticatedMeeting, WithoutAKeyANoticeSaysSo) {
  const Two two = meet_both(nullptr, nullptr);
  for (const auto& met : two.met) {
    ASSERT_TRUE(met) << met.error().message;
    EXPECT_THAT(met->notices, testing::ElementsAre(HasSubstr("set group.key_file")));
  }
}

TEST_F(AuthenticatedMeeting, WrongKeyIsRefusedByBoth) {
  const Two two = meet_both(&key_, &other_key_, brief(0), brief(1));
  for (const auto& met : two.met) {
    ASSERT_FALSE(met);
    EXPECT_EQ(met.error().code, ErrorCode::member_absent);
    EXPECT_THAT(met.error().message, HasSubstr("key, group, version or rank differ"));
    EXPECT_THAT(met.error().message, HasSubstr("group.key_file"));
    EXPECT_THAT(met.error().message, testing::Not(HasSubstr("1111")));
  }
}

TEST_F(AuthenticatedMeeting, WrongGroupIsRefusedByBoth) {
  MeetingOptions stray = brief(1);
  stray.group = "hallo";
  const Two two = meet_both(&key_, &key_, brief(0), stray);
  for (const auto& met : two.met) {
    ASSERT_FALSE(met);
    EXPECT_THAT(met.error().message, HasSubstr("key, group, version or rank differ"));
  }
  EXPECT_THAT(two.met[0].error().message, testing::Not(HasSubstr("hallo")));
  EXPECT_THAT(two.met[1].error().message, testing::Not(HasSubstr("hello'")));
}

TEST_F(AuthenticatedMeeting, KeyOnOneSideOnlyIsToldOnBothSides) {
  for (const bool at_welcomer : {true, false}) {
    const Two two =
        meet_both(at_welcomer ? &key_ : nullptr, at_welcomer ? nullptr : &key_, brief(0), brief(1));
    const auto& with = two.met[at_welcomer ? 0 : 1];
    const auto& without = two.met[at_welcomer ? 1 : 0];
    ASSERT_FALSE(with);
    EXPECT_EQ(with.error().code, ErrorCode::member_absent);
    EXPECT_THAT(with.error().message, HasSubstr("has no key; set group.key_file there"));
    ASSERT_FALSE(without);
    EXPECT_EQ(without.error().code, ErrorCode::mismatch);
    EXPECT_THAT(without.error().message, HasSubstr("has a key"));
    EXPECT_THAT(without.error().message, HasSubstr("set group.key_file"));
  }
}

TEST_F(AuthenticatedMeeting, SettingsThatDifferAreNamedOnBothSides) {
  MeetingOptions larger = options(1);
  larger.region_bytes = 8'192;
  const Two two = meet_both(&key_, &key_, options(0), larger);
  for (const auto& met : two.met) {
    ASSERT_FALSE(met);
    EXPECT_EQ(met.error().code, ErrorCode::mismatch);
    for (const char* value : {"4096", "8192"}) EXPECT_THAT(met.error().message, HasSubstr(value));
  }
}

TEST_F(AuthenticatedMeeting, WrongVersionIsRefusedAndTheMembersMeet) {
  Heard heard;
  const auto met = meet_despite([&] {
    TcpConversation stranger(
        stranger_at(0),
        std::make_unique<AuthenticatedExchange>(
            key_, Side::dialler, HandshakeTerms{.group = "hello", .version = kHelloVersion + 1}),
        "here", "");
    stranger.say(encode({.rank = 1}), {});
    const auto deadline = Clock::now() + std::chrono::seconds(10);
    while (heard.what == Heard::What::nothing && Clock::now() < deadline) heard = stranger.hear();
  });
  EXPECT_EQ(heard.what, Heard::What::refused);
  ASSERT_TRUE(met);
  EXPECT_EQ(met->refused, 1u);
  EXPECT_THAT(met->notices, testing::ElementsAre(HasSubstr("refused a connection from 127.0.0.1")));
}

TEST_F(AuthenticatedMeeting, PlayedBackHandshakeIsRefusedAndTheMembersMeet) {
  std::vector<std::byte> said;
  {
    std::vector<std::string> through_relay = addresses_;
    through_relay[0] = addresses_[2];
    // Who does not know the dialler's address cannot tell it his own, past the relay.
    std::vector<std::string> only_its_own = addresses_;
    only_its_own[1].clear();
    Relay relay(addresses_[2], addresses_[0]);
    ASSERT_TRUE(relay.listens());
    Expected<Met> met[2];
    std::thread first([&] { met[0] = meet_at(only_its_own, options(0), &key_); });
    met[1] = meet_at(through_relay, options(1), &key_);
    first.join();
    for (const auto& one : met) ASSERT_TRUE(one) << one.error().message;
    relay.stop();
    said = relay.of_dialler();
    ASSERT_GT(said.size(), sizeof(Preamble) + sizeof(Greeting) + sizeof(Tag));
    const std::string_view text(reinterpret_cast<const char*>(said.data()), said.size());
    EXPECT_EQ(text.find("I am 1"), std::string_view::npos);
  }
  const auto met = meet_despite([&] {
    const Descriptor again = stranger_at(0);
    send_all(again, said);
    EXPECT_TRUE(closed_within(again, std::chrono::seconds(10)));
  });
  ASSERT_TRUE(met);
  EXPECT_EQ(met->refused, 1u);
  EXPECT_THAT(met->notices, testing::ElementsAre(HasSubstr("played back")));
}

TEST_F(AuthenticatedMeeting, ReflectedHandshakeIsRefused) {
  const Relay mirror(addresses_[0], "");
  ASSERT_TRUE(mirror.listens());
  const auto met = meet_as(brief(1), &key_);
  ASSERT_FALSE(met);
  EXPECT_EQ(met.error().code, ErrorCode::member_absent);
  EXPECT_THAT(met.error().message, HasSubstr("sent what is no handshake"));
}

/// Who dials rank 0 is led to the door of rank 1: to its own, or that of another member.
TEST_F(AuthenticatedMeeting, AHandshakeWithAnotherMemberThanDialledIsRefused) {
  std::vector<std::string> through_relay = addresses_;
  through_relay[0] = addresses_[2];
  const Relay detour(addresses_[2], addresses_[1]);
  const auto met = meet_at(through_relay, brief(1), &key_);
  ASSERT_FALSE(met);
  EXPECT_EQ(met.error().code, ErrorCode::member_absent);
  EXPECT_THAT(met.error().message, HasSubstr("key, group, version or rank differ"));
}

}  // namespace
}  // namespace lockstep::transports
