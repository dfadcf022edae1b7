#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstring>
#include <deque>
#include <thread>

#include "runtime/endpoint.hpp"
#include "tests/transports/connected.hpp"
#include "tools/launch/local_addresses.hpp"
#include "transports/datagrams/datagram_parameters.hpp"
#include "transports/datagrams/datagram_transport.hpp"
#include "transports/udp/udp_port.hpp"

namespace lockstep::transports {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kSecond = 1'000'000'000;

TEST(DatagramParameters, ComeBackAsTheyWere) {
  const DatagramParameters sent{
      .place = "there", .credit = 256, .packet_bytes = 8'192, .secret = {0x1234'5678'9abc'def0}};
  const auto read = decode_datagram_parameters(encode(sent));
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, sent);
}

TEST(DatagramParameters, WhatIsOutOfRangeIsNamed) {
  const DatagramParameters good{
      .place = std::string("\1\0", 2), .credit = 1, .packet_bytes = 512, .secret = {1}};
  const auto fault_of = [](std::string_view text) {
    const auto read = decode_datagram_parameters(text);
    return read ? std::string() : read.error().message;
  };
  const auto with = [&](auto change) {
    DatagramParameters changed = good;
    change(changed);
    return encode(changed);
  };
  EXPECT_EQ(fault_of(encode(good)), "");
  EXPECT_THAT(fault_of(""), HasSubstr("0 bytes instead of 24 at least"));
  EXPECT_THAT(fault_of(encode(good) + "x"), HasSubstr("a place of 3 bytes where 2 are said"));
  EXPECT_THAT(fault_of(std::string(24, 'x')), HasSubstr("another version"));
  EXPECT_THAT(fault_of(with([](auto& one) { one.credit = 0; })), HasSubstr("room for 0 packets"));
  EXPECT_THAT(fault_of(with([](auto& one) { one.credit = 257; })), HasSubstr("room for 257"));
  EXPECT_THAT(fault_of(with([](auto& one) { one.packet_bytes = 511; })), HasSubstr("of 511 bytes"));
  EXPECT_THAT(fault_of(with([](auto& one) { one.packet_bytes = 65'409; })),
              HasSubstr("of 65409 bytes"));
}

/// Two members on loopback.
class UdpPair : public testing::Test {
 protected:
  void SetUp() override {
    config_ = {.name = "udp-pair",
               .members = {"a", "b"},
               .addresses = launch::local_addresses("udp", 2, {"127.0.0.1"}).value(),
               .transport = "udp",
               .join_timeout_ns = 30 * kSecond};
    std::thread other([&] { ends_[1] = connected(1); });
    ends_[0] = connected(0);
    other.join();
    ASSERT_NE(ends_[0], nullptr);
    ASSERT_NE(ends_[1], nullptr);
  }
  std::unique_ptr<Connection> connected(std::uint32_t rank) {
    return connect_all(config_, {.my_rank = rank,
                                 .region_bytes = 4'096,
                                 .source_bytes = 1 << 16,
                                 .memory = {},
                                 .introduction = {}});
  }
  DatagramTransport& end(std::uint32_t rank) {
    return dynamic_cast<DatagramTransport&>(*ends_[rank]->transport);
  }
  /// Posts one word and waits until it is there.
  void expect_to_arrive(std::uint64_t value) {
    const std::uint64_t word[] = {value};
    ASSERT_EQ(end(0).write(1, 0, 0, std::as_bytes(std::span(word)), value), Post::posted);
    end(0).flush(1);
    const runtime::TscClock clock;
    const std::uint64_t deadline_ns = clock.now_ns() + 30 * kSecond;
    while (first_word() != value) {
      ASSERT_LT(clock.now_ns(), deadline_ns);
      ASSERT_EQ(end(0).poll(downs_), 0U);
      ASSERT_EQ(end(1).poll(downs_), 0U);
    }
  }
  std::uint64_t first_word() {
    std::uint64_t word = 0;
    std::memcpy(&word, end(1).inbound(0, 0).data(), sizeof word);
    return word;
  }

  GroupConfig config_;
  std::array<std::unique_ptr<Connection>, 2> ends_;
  std::array<LinkDown, 4> downs_{};
};

TEST_F(UdpPair, StrangersAreCountedAndChangeNothing) {
  const Descriptor stranger(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto to = runtime::parse_endpoint(config_.addresses[1]).value();
  std::vector<std::byte> said(9'000, std::byte{1});
  const std::size_t lengths[] = {0, 1, 63, 64, 512, 8'192, 9'000};
  // As if from a member, and as if from ranks that there are not.
  for (const std::uint16_t rank : std::array<std::uint16_t, 4>{0, 1, 7, 65'535}) {
    for (const std::size_t length : lengths) {
      std::memcpy(said.data() + offsetof(packet::Head, sender), &rank, sizeof rank);
      ::sendto(stranger.get(), said.data(), length, 0, to.generic(), to.length);
    }
  }
  expect_to_arrive(5);
  EXPECT_EQ(end(1).packet_counts()->rejected, 4 * std::size(lengths));
}

TEST_F(UdpPair, WritesShareAPacketUntilTheyAreFlushed) {
  expect_to_arrive(1);
  const std::uint64_t before = end(0).packet_counts()->sent;
  const std::uint64_t word[] = {2};
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(end(0).write(1, 0, 8, std::as_bytes(std::span(word)), 2), Post::posted);
  }
  expect_to_arrive(3);
  EXPECT_EQ(end(0).packet_counts()->sent, before + 1);
}

TEST_F(UdpPair, WhatIsNotAnsweredSetsADeadline) {
  expect_to_arrive(1);
  const std::uint64_t word[] = {2};
  ASSERT_EQ(end(0).write(1, 0, 0, std::as_bytes(std::span(word)), 2), Post::posted);
  end(0).flush(1);
  end(0).announce_sleep();
  const std::uint64_t now_ns = runtime::TscClock().now_ns();
  EXPECT_LT(end(0).deadline_ns(), now_ns + kSecond);
  end(0).announce_awake();
}

// Found by AHerdOfJoinersQueuesThoughTheLeaderDies: who had met a peer that died at once ended,
// too.
TEST(UdpTransports, ALinkToAPeerThatDiedWhileItWasMetIsMade) {
  const auto mine = runtime::parse_endpoint("127.0.0.1:1").value();
  Notices notices;
  const auto transport = DatagramTransport::open({.my_rank = 0,
                                                  .members = 2,
                                                  .region_bytes = 4'096,
                                                  .source_bytes = 0,
                                                  .blocks = {},
                                                  .unanswered_ns = kSecond},
                                                 UdpPort::open(mine, 1, notices).value(), notices);
  ASSERT_TRUE(transport) << transport.error().message;
  const auto maker = (*transport)->link_maker();
  ASSERT_TRUE(maker->offer_for(1, false));
  const DatagramParameters theirs{
      .place = std::string("\1\0", 2), .credit = 1, .packet_bytes = 512, .secret = {1}};
  MetPeer gone;
  gone.rank = 1;
  gone.host = "127.0.0.1";
  gone.parameters = encode(theirs);
  const auto link = maker->make(std::move(gone));
  ASSERT_TRUE(link) << link.error().message;
  MetPeer placeless;
  placeless.rank = 1;
  placeless.host = "127.0.0.1";
  placeless.parameters = encode(DatagramParameters{.credit = 1, .packet_bytes = 512});
  const auto none = maker->make(std::move(placeless));
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("no UDP port"));
}

TEST(UdpSockets, APortThatIsTakenIsReplacedAndTold) {
  const auto mine =
      runtime::parse_endpoint(launch::local_addresses("udp", 1, {}).value()[0]).value();
  Notices notices;
  const auto first = UdpSocket::open(mine, 1'024, 1 << 16, notices);
  ASSERT_TRUE(first);
  EXPECT_EQ((*first)->port(), runtime::port_of(mine));
  EXPECT_TRUE(notices.lines().empty());
  const auto second = UdpSocket::open(mine, 1'024, 1 << 16, notices);
  ASSERT_TRUE(second);
  EXPECT_NE((*second)->port(), (*first)->port());
  ASSERT_EQ(notices.lines().size(), 1U);
  EXPECT_THAT(notices.lines()[0], HasSubstr("is taken"));
}

/// A socket that sends to two others of this host.
class UdpBursts : public testing::Test {
 protected:
  struct End {
    runtime::Endpoint address;
    std::unique_ptr<UdpSocket> socket;
  };
  static constexpr std::size_t kPacketBytes = 2'000;

  void SetUp() override {
    const auto addresses = launch::local_addresses("udp", 3, {}).value();
    Notices notices;
    for (std::size_t i = 0; i < ends_.size(); ++i) {
      ends_[i].address = runtime::parse_endpoint(addresses[i]).value();
      auto socket = UdpSocket::open(ends_[i].address, kPacketBytes, 1 << 20, notices);
      ASSERT_TRUE(socket) << socket.error().message;
      ends_[i].socket = std::move(*socket);
    }
  }
  /// A packet of that many bytes, all of them its number.
  void collect(std::size_t to, std::size_t bytes) {
    const auto number = static_cast<std::byte>(sent_.size() + 1);
    sent_.emplace_back(bytes, number);
    to_.push_back(to);
    ends_[0].socket->collect(sent_.back(), ends_[to].address);
  }
  /// All that was sent comes, each packet whole and in order.
  void expect_all() {
    ends_[0].socket->submit();
    for (const std::size_t end : {1U, 2U}) {
      std::vector<std::vector<std::byte>> wanted;
      for (std::size_t i = 0; i < sent_.size(); ++i) {
        if (to_[i] == end) wanted.push_back(sent_[i]);
      }
      EXPECT_EQ(received(*ends_[end].socket, wanted.size()), wanted) << end;
    }
  }
  static std::vector<std::vector<std::byte>> received(UdpSocket& socket, std::size_t count) {
    std::vector<std::vector<std::byte>> packets;
    const runtime::TscClock clock;
    const std::uint64_t deadline_ns = clock.now_ns() + 10 * kSecond;
    while (packets.size() < count && clock.now_ns() < deadline_ns) {
      const std::size_t came = socket.receive();
      for (std::size_t i = 0; i < came; ++i) {
        packets.emplace_back(socket.packet(i).begin(), socket.packet(i).end());
      }
    }
    return packets;
  }

  std::array<End, 3> ends_;
  std::deque<std::vector<std::byte>> sent_;  ///< they must stay where they are
  std::vector<std::size_t> to_;
};

TEST_F(UdpBursts, ArriveAsThePacketsTheyWere) {
  for (int i = 0; i < 5; ++i) collect(1, 1'000);
  collect(1, 500);    // the last of a message may be shorter
  collect(1, 1'000);  // and ends it
  collect(2, 1'000);
  collect(1, 1'000);
  collect(1, 1'001);
  collect(2, 1);
  for (int i = 0; i < 40; ++i) collect(2, 1'400);  // more than are collected, or fit a message
  expect_all();
}

// A socket without checksums cannot have its messages cut.
TEST_F(UdpBursts, ArriveWhereTheKernelCutsNothing) {
  const int on = 1;
  ASSERT_EQ(::setsockopt(ends_[0].socket->descriptor(), SOL_SOCKET, SO_NO_CHECK, &on, sizeof on),
            0);
  for (int i = 0; i < 10; ++i) collect(1, 1'000);
  for (int i = 0; i < 10; ++i) collect(2, 1'000);
  expect_all();
}

TEST(UdpSockets, AnAddressOfAnotherHostIsExplained) {
  Notices notices;
  const auto opened =
      UdpSocket::open(runtime::parse_endpoint("192.0.2.1:7000").value(), 1'024, 1 << 16, notices);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("192.0.2.1:7000"));
}

}  // namespace
}  // namespace lockstep::transports
