#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <thread>

#include "tests/transports/meeting_by_tcp.hpp"
#include "tests/transports/test_key.hpp"
#include "transports/hello/clear_exchange.hpp"
#include "transports/hello/hello_packet.hpp"
#include "transports/hello/meeting.hpp"
#include "transports/hello/tcp_conversation.hpp"

namespace lockstep::transports {
namespace {

Hello some_hello() {
  return {.medium = Medium::tcp,
          .rank = 1,
          .region_bytes = 4'096,
          .introduction = "introduction",
          .parameters = "parameters",
          .words = {{.rank = 1, .version = 7, .address = "10.0.0.1:7000"}}};
}

// ---- packets -----------------------------------------------------------------------------------

TEST(HelloPacket, ComesBackAsItWasSaid) {
  const auto packet = encode(some_hello());
  EXPECT_EQ(hello_bytes(packet), packet.size());
  const auto hello = decode(packet);
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->medium, Medium::tcp);
  EXPECT_EQ(hello->rank, 1u);
  EXPECT_EQ(hello->region_bytes, 4'096u);
  EXPECT_EQ(hello->introduction, "introduction");
  EXPECT_EQ(hello->parameters, "parameters");
  ASSERT_EQ(hello->words.size(), 1u);
  EXPECT_EQ(hello->words[0].address, "10.0.0.1:7000");
}

TEST(HelloPacket, OfAnotherVersionIsKnownForOne) {
  auto packet = encode(some_hello());
  const std::uint32_t version = kHelloVersion + 7;
  std::memcpy(packet.data() + offsetof(HelloHeader, version), &version, sizeof version);
  const auto hello = decode(std::span(packet).first(sizeof(HelloHeader)));
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->version, version);
}

TEST(HelloPacket, TellsWhatTheConnectionIsForAndKnowsNothingElse) {
  Hello hello = some_hello();
  hello.standing = {.incarnation = 11, .view = 12, .links = 13, .room = 14};
  for (const Purpose purpose :
       {Purpose::link, Purpose::life_line, Purpose::state, Purpose::question}) {
    hello.purpose = purpose;
    const auto heard = decode(encode(hello));
    ASSERT_TRUE(heard);
    EXPECT_EQ(heard->purpose, purpose);
    EXPECT_EQ(heard->standing.incarnation, 11u);
    EXPECT_EQ(heard->standing.view, 12u);
    EXPECT_EQ(heard->standing.links, 13u);
    EXPECT_EQ(heard->standing.room, 14u);
  }
  auto packet = encode(hello);
  const auto strange = static_cast<std::uint16_t>(std::to_underlying(kLastPurpose) + 1);
  std::memcpy(packet.data() + offsetof(HelloHeader, purpose), &strange, sizeof strange);
  EXPECT_FALSE(decode(packet));
}

TEST(HelloPacket, ShortLongOrStrangeIsNone) {
  const auto packet = encode(some_hello());
  for (std::size_t bytes = 0; bytes < packet.size(); ++bytes) {
    EXPECT_FALSE(decode(std::span(packet).first(bytes))) << bytes;
  }
  auto longer = packet;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(decode(longer));
  auto strange = packet;
  strange[0] ^= std::byte{1};
  EXPECT_FALSE(hello_bytes(strange));
}

TEST(HelloPacket, LengthsBeyondTheLimitsAreRefusedBeforeAnythingIsRead) {
  for (const std::size_t field :
       {offsetof(HelloHeader, introduction_bytes), offsetof(HelloHeader, parameters_bytes),
        offsetof(HelloHeader, words_bytes)}) {
    auto packet = encode(some_hello());
    const std::uint16_t huge = 0xffff;
    std::memcpy(packet.data() + field, &huge, sizeof huge);
    EXPECT_FALSE(hello_bytes(packet));
  }
}

TEST(HelloPacket, AddressesThatAreNoneMakeItNone) {
  auto packet = encode(some_hello());
  packet.back() = std::byte{'x'};
  EXPECT_FALSE(decode(packet));
}

// ---- meeting over TCP
// ----------------------------------------------------------------------------

class TcpMeeting : public MeetingByTcp, public testing::WithParamInterface<const char*> {
 protected:
  TcpMeeting() : MeetingByTcp(GetParam()) {}
};

TEST_P(TcpMeeting, HandsOverWhatTheMediumMustKnow) { meet_three(); }

/// What is written into the life line between two members at one end comes out at the other.
void expect_life_line(std::vector<MetMember>& here, std::vector<MetMember>& there,
                      std::uint32_t low, std::uint32_t high) {
  const Descriptor& mine = here[high - 1].life_line;
  const Descriptor& theirs = there[low].life_line;
  ASSERT_EQ(::send(mine.get(), "x", 1, MSG_NOSIGNAL), 1);
  char heard = 0;
  pollfd waited{.fd = theirs.get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&waited, 1, 10'000), 1);
  EXPECT_EQ(::recv(theirs.get(), &heard, 1, 0), 1);
}

TEST_P(TcpMeeting, EachPairMakesALifeLineIfTheyAreAskedFor) {
  const GroupKey key = test_key();
  for (const GroupKey* const known : {static_cast<const GroupKey*>(nullptr), &key}) {
    Expected<Met> met[3];
    std::vector<std::thread> members;
    for (std::uint32_t rank = 0; rank < 3; ++rank) {
      members.emplace_back([&, rank] {
        MeetingOptions asked = options(rank, 3);
        asked.life_lines = true;
        met[rank] = meet_as(asked, known);
      });
    }
    for (std::thread& member : members) member.join();
    for (const auto& one : met) {
      ASSERT_TRUE(one) << one.error().message;
      EXPECT_EQ(one->refused, 0u);
      for (const MetMember& peer : one->peers) EXPECT_TRUE(peer.socket.open());
    }
    expect_life_line(met[0]->peers, met[1]->peers, 0, 1);
    expect_life_line(met[0]->peers, met[2]->peers, 0, 2);
    expect_life_line(met[1]->peers, met[2]->peers, 1, 2);
  }
}

TEST_P(TcpMeeting, SilentAndGarbledStrangersCostNothing) {
  Expected<Met> met[2];
  std::thread first([&] { met[0] = meet_as(options(0)); });
  std::vector<Descriptor> strangers;
  for (int i = 0; i < 60; ++i) {
    strangers.push_back(stranger_at(0));
    ASSERT_TRUE(strangers.back().open());
    const std::string garbage(static_cast<std::size_t>(i) * 37 % 100, static_cast<char>(i));
    if (i % 2 == 0) {
      ::send(strangers.back().get(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
    }
  }
  std::thread second([&] { met[1] = meet_as(options(1)); });
  first.join();
  second.join();
  for (const auto& one : met) EXPECT_TRUE(one) << one.error().message;
}

TEST_P(TcpMeeting, AnotherVersionIsNamedWithBoth) {
  Expected<Met> met;
  std::thread first([&] { met = meet_as(options(0)); });
  auto packet = encode(some_hello());
  const std::uint32_t version = kHelloVersion + 7;
  std::memcpy(packet.data() + offsetof(HelloHeader, version), &version, sizeof version);
  const Descriptor stranger = stranger_at(0);
  ::send(stranger.get(), packet.data(), packet.size(), MSG_NOSIGNAL);
  first.join();
  ASSERT_FALSE(met);
  EXPECT_EQ(met.error().code, ErrorCode::mismatch);
  EXPECT_NE(met.error().message.find(fmt::format("version {}", version)), std::string::npos);
  EXPECT_NE(met.error().message.find(fmt::format("speaks {}", kHelloVersion)), std::string::npos);
}

TEST_P(TcpMeeting, AnotherMediumOrLayoutIsNamedOnBothSides) {
  for (const bool medium : {true, false}) {
    Expected<Met> met[2];
    std::vector<std::thread> members;
    for (std::uint32_t rank = 0; rank < 2; ++rank) {
      MeetingOptions mine = options(rank);
      if (rank == 1 && medium) mine.medium = Medium::verbs;
      if (rank == 1 && !medium) mine.region_bytes = 8'192;
      members.emplace_back([&, mine, rank] { met[rank] = meet_as(mine); });
    }
    for (std::thread& member : members) member.join();
    for (const auto& one : met) {
      ASSERT_FALSE(one);
      const std::string& message = one.error().message;
      for (const char* value : {medium ? "tcp" : "4096", medium ? "verbs" : "8192"}) {
        EXPECT_NE(message.find(value), std::string::npos) << message;
      }
    }
  }
}

TEST_P(TcpMeeting, APeerThatGoesInTheMiddleOfItsHelloIsWaitedForAgain) {
  Expected<Met> met[2];
  std::thread first([&] { met[0] = meet_as(options(0)); });
  {
    const auto packet = encode(some_hello());
    const Descriptor stranger = stranger_at(0);
    ::send(stranger.get(), packet.data(), packet.size() / 2, MSG_NOSIGNAL);
  }
  std::thread second([&] { met[1] = meet_as(options(1)); });
  first.join();
  second.join();
  for (const auto& one : met) EXPECT_TRUE(one) << one.error().message;
}

TEST_P(TcpMeeting, AnAddressOfAnotherHostIsExplained) {
  const bool six = std::string(GetParam()).contains(':');
  addresses_[0] = six ? "[2001:db8::1]:7000" : "192.0.2.1:7000";
  const auto met = meet_as(options(0));
  ASSERT_FALSE(met);
  EXPECT_NE(met.error().message.find("not one of this host"), std::string::npos)
      << met.error().message;
}

/// The far end takes its time with a long hello: none of it is lost, and until it has gone out the
/// conversation is not over.
TEST_P(TcpMeeting, ALongHelloGoesOutWhole) {
  const auto endpoint = runtime::parse_endpoint(addresses_[0]);
  const Descriptor listener(::socket(endpoint->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int small = 4'096;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  ::setsockopt(listener.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  ASSERT_EQ(::bind(listener.get(), endpoint->generic(), endpoint->length), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  const Descriptor far(::socket(endpoint->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::setsockopt(far.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  ASSERT_EQ(::connect(far.get(), endpoint->generic(), endpoint->length), 0);
  Descriptor near(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  TcpConversation conversation(std::move(near), std::make_unique<ClearExchange>(), "here", "");

  const auto theirs = encode(some_hello());
  ::send(far.get(), theirs.data(), theirs.size(), MSG_NOSIGNAL);
  const auto hear = [&] {
    Heard heard;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (heard.what == Heard::What::nothing && std::chrono::steady_clock::now() < deadline) {
      heard = conversation.hear();
    }
    return heard;
  };
  ASSERT_EQ(hear().what, Heard::What::hello);
  Hello mine = some_hello();
  mine.introduction.assign(kMaxIntroductionBytes, 'i');
  const auto said = encode(mine);
  ASSERT_TRUE(conversation.say(said, {}));
  ASSERT_TRUE(conversation.sending());
  EXPECT_EQ(conversation.hear().what, Heard::What::nothing);
  std::vector<std::byte> arrived(said.size());
  std::thread reader([&] { ::recv(far.get(), arrived.data(), arrived.size(), MSG_WAITALL); });
  const Heard again = hear();
  conversation.release();  // ends the reader, whatever it has
  reader.join();
  EXPECT_EQ(again.packet, theirs);
  EXPECT_EQ(arrived, said);
}

INSTANTIATE_TEST_SUITE_P(Families, TcpMeeting, testing::Values("127.0.0.1", "::1"),
                         [](const auto& tested) { return tested.index == 0 ? "ipv4" : "ipv6"; });

}  // namespace
}  // namespace lockstep::transports
