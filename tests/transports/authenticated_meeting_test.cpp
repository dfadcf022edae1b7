// Meetings of members that have a key, over TCP: with the wrong ones among them, and with crowds
// of strangers at the door. Every meeting has a deadline of seconds.

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>
#include <random>

#include "tests/transports/meeting_by_tcp.hpp"
#include "tests/transports/relay.hpp"
#include "tests/transports/test_key.hpp"
#include "tests/unit/runtime_folder.hpp"
#include "transports/connect.hpp"
#include "transports/hello/authenticated_exchange.hpp"
#include "transports/hello/refusals.hpp"
#include "transports/hello/tcp_conversation.hpp"

namespace lockstep::transports {
namespace {

using testing::HasSubstr;
using Clock = std::chrono::steady_clock;

bool closed_within(const Descriptor& socket, std::chrono::milliseconds most) {
  const auto deadline = Clock::now() + most;
  while (Clock::now() < deadline) {
    pollfd waited{.fd = socket.get(), .events = POLLIN, .revents = 0};
    if (::poll(&waited, 1, 10) != 1) continue;
    std::byte buffer[256];
    if (::recv(socket.get(), buffer, sizeof buffer, 0) <= 0) return true;
  }
  return false;
}

void send_all(const Descriptor& socket, std::span<const std::byte> bytes) {
  ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

class AuthenticatedMeeting : public MeetingByTcp {
 protected:
  struct Two {
    Expected<Met> met[2];
  };
  /// Ranks 0 and 1, each with its own key (or null) and its own options.
  Two meet_both(const GroupKey* first_key, const GroupKey* second_key,
                const MeetingOptions& first = options(0),
                const MeetingOptions& second = options(1)) const {
    Two two;
    std::thread one([&] { two.met[0] = meet_as(first, first_key); });
    two.met[1] = meet_as(second, second_key);
    one.join();
    return two;
  }

  static MeetingOptions brief(std::uint32_t rank) {
    MeetingOptions chosen = options(rank);
    chosen.timeout_ns = kSecond;
    return chosen;
  }

  /// Rank 0 meets; `disturb` does what it likes; then rank 1 comes, and both must meet.
  Expected<Met> meet_despite(const std::function<void()>& disturb) {
    Expected<Met> met[2];
    std::thread first([&] { met[0] = meet_as(options(0), &key_); });
    disturb();
    met[1] = meet_as(options(1), &key_);
    first.join();
    for (const auto& one : met) EXPECT_TRUE(one) << one.error().message;
    return std::move(met[0]);
  }

  const GroupKey key_ = test_key();
  const GroupKey other_key_ = test_key('2');
};

TEST_F(AuthenticatedMeeting, RightKeyMeets) {
  Expected<Met> met[3];
  std::vector<std::thread> members;
  for (std::uint32_t rank = 0; rank < 3; ++rank) {
    members.emplace_back([&, rank] { met[rank] = meet_as(options(rank, 3), &key_); });
  }
  for (std::thread& member : members) member.join();
  for (std::uint32_t rank = 0; rank < 3; ++rank) {
    ASSERT_TRUE(met[rank]) << met[rank].error().message;
    ASSERT_EQ(met[rank]->peers.size(), 2u);
    for (const MetPeer& peer : met[rank]->peers) {
      EXPECT_EQ(peer.parameters, fmt::format("{} to {}", peer.rank, rank));
    }
    EXPECT_THAT(met[rank]->notices, testing::IsEmpty());
    EXPECT_EQ(met[rank]->refused, 0u);
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
        "here");
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
    Relay relay(addresses_[2], addresses_[0]);
    ASSERT_TRUE(relay.listens());
    Expected<Met> met[2];
    std::thread first([&] { met[0] = meet_as(options(0), &key_); });
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

TEST_F(AuthenticatedMeeting, AByteASecondIsDroppedAndTheMembersMeet) {
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
TEST_F(AuthenticatedMeeting, AMemberBehindASilentPlaceIsMetLater) {
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
TEST_F(AuthenticatedMeeting, ACrowdDoesNotPushAMemberOut) {
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
  EXPECT_GE(met->refused, 80u);
}

TEST_F(AuthenticatedMeeting, AThousandStrangersAtOnceDoNotKeepTheMembersApart) {
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

/// The setting, from the file to the transport.
class ConnectWithKey : public MeetingByTcp {
 protected:
  std::string key_file(const std::string& name, char digit) const {
    const std::string path = folder_.file(name);
    std::ofstream(path) << std::string(2 * GroupKey::kBytes, digit) << '\n';
    ::chmod(path.c_str(), 0600);
    return path;
  }

  Expected<std::unique_ptr<Transport>> connect_as(std::uint32_t rank,
                                                  const std::string& key_file) const {
    const GroupConfig config{.name = "hello",
                             .members = {"a", "b"},
                             .addresses = {addresses_[0], addresses_[1]},
                             .key_file = key_file,
                             .join_timeout_ns = 3 * kSecond};
    return connect(config,
                   {.my_rank = rank,
                    .region_bytes = 4'096,
                    .source_bytes = 0,
                    .memory = {},
                    .introduction = {}},
                   [](std::uint32_t, const std::string&) -> Expected<void> { return {}; });
  }

  tests::Folder folder_;
};

TEST_F(ConnectWithKey, TakesTheKeyFromTheFile) {
  const std::string path = key_file("key", 'a');
  Expected<std::unique_ptr<Transport>> connected[2];
  std::thread first([&] { connected[0] = connect_as(0, path); });
  connected[1] = connect_as(1, path);
  first.join();
  for (const auto& one : connected) {
    ASSERT_TRUE(one) << one.error().message;
    EXPECT_THAT((*one)->notices(), testing::Not(testing::Contains(HasSubstr("authenticated"))));
  }
}

TEST_F(ConnectWithKey, SaysWhatIsWrongWithTheFileBeforeItConnects) {
  const std::string path = key_file("key", 'a');
  ::chmod(path.c_str(), 0644);
  for (const std::string& wrong : {folder_.file("none"), path}) {
    const auto connected = connect_as(0, wrong);
    ASSERT_FALSE(connected);
    EXPECT_EQ(connected.error().code, ErrorCode::configuration);
    EXPECT_THAT(connected.error().message, HasSubstr(wrong));
  }
}

}  // namespace
}  // namespace lockstep::transports
