#include "transports/hello/socket_channel.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::transports {
namespace {

using Bytes = std::vector<std::byte>;

struct Pair {
  Descriptor first;
  Descriptor second;
};

Pair unix_pair(int type) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

Pair tcp_pair() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::bind(listener.get(), generic, bytes), 0);
  EXPECT_EQ(::listen(listener.get(), 1), 0);
  EXPECT_EQ(::getsockname(listener.get(), generic, &bytes), 0);
  Pair pair{Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), Descriptor()};
  EXPECT_EQ(::connect(pair.first.get(), generic, bytes), 0);
  pair.second = Descriptor(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_TRUE(pair.second.open());
  return pair;
}

std::unique_ptr<SocketChannel> channel_over(Descriptor socket) {
  auto channel = SocketChannel::create(std::move(socket));
  EXPECT_TRUE(channel) << channel.error().message;
  return std::move(*channel);
}

/// What goes over the wire may take a moment, also over loopback.
Bytes await_packet(SocketChannel& channel) {
  for (int i = 0; i < 100'000 && channel.open(); ++i) {
    const auto packet = channel.receive();
    if (!packet.empty()) return {packet.begin(), packet.end()};
  }
  return {};
}

void await_end(SocketChannel& channel) {
  for (int i = 0; i < 100'000 && channel.open(); ++i) EXPECT_TRUE(channel.receive().empty());
  EXPECT_FALSE(channel.open());
}

Bytes frame(std::uint32_t length, std::size_t body_bytes) {
  Bytes bytes(sizeof length + body_bytes, std::byte{7});
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes;
}

/// A channel, and at its other end somebody who follows no rule.
struct Stranger {
  explicit Stranger(Pair pair)
      : channel(channel_over(std::move(pair.first))), socket(std::move(pair.second)) {}

  void send(std::span<const std::byte> bytes) const {
    EXPECT_EQ(::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }

  std::unique_ptr<SocketChannel> channel;
  Descriptor socket;
};

enum class Kind { tcp, unix_stream, unix_packets };

Pair pair_of(Kind kind) {
  switch (kind) {
    case Kind::tcp:
      return tcp_pair();
    case Kind::unix_stream:
      return unix_pair(SOCK_STREAM);
    case Kind::unix_packets:
      break;
  }
  return unix_pair(SOCK_SEQPACKET);
}

class SocketChannels : public testing::TestWithParam<Kind> {
 protected:
  SocketChannels() {
    Pair pair = pair_of(GetParam());
    mine_ = channel_over(std::move(pair.first));
    theirs_ = channel_over(std::move(pair.second));
  }

  std::unique_ptr<SocketChannel> mine_;
  std::unique_ptr<SocketChannel> theirs_;
};

/// The packets of a large stream: every length, and bytes that tell.
Bytes numbered_packet(std::mt19937_64& random) {
  Bytes packet(1 + random() % (random() % 4 == 0 ? StateChannel::kMostPacketBytes : 200));
  const auto fill = static_cast<std::byte>(random());
  std::ranges::fill(packet, fill);
  packet.front() = static_cast<std::byte>(packet.size());
  return packet;
}

/// One direction of a stream of 4 000 packets.
struct Stream {
  explicit Stream(std::uint64_t seed) : sending(seed), expecting(seed) {}

  bool send(SocketChannel& channel) {
    if (sent == kPackets) return false;
    if (unsent.empty()) unsent = numbered_packet(sending);
    if (!channel.send(unsent)) return false;
    unsent.clear();
    ++sent;
    return true;
  }
  bool receive(SocketChannel& channel) {
    const auto packet = channel.receive();
    if (packet.empty()) return false;
    EXPECT_TRUE(std::ranges::equal(packet, numbered_packet(expecting))) << "packet " << received;
    ++received;
    return true;
  }

  static constexpr int kPackets = 4'000;
  std::mt19937_64 sending;
  std::mt19937_64 expecting;
  Bytes unsent{};
  int sent = 0;
  int received = 0;
};

TEST_P(SocketChannels, LargeStreamsBothWaysArriveAsTheyWere) {
  Stream there(1);
  Stream back(2);
  std::mt19937 random(3);
  for (int i = 0; i < 10'000'000 && there.received + back.received < 2 * Stream::kPackets; ++i) {
    switch (random() % 4) {
      case 0:
        while (there.send(*mine_) && random() % 8 != 0) {
        }
        break;
      case 1:
        while (back.send(*theirs_) && random() % 8 != 0) {
        }
        break;
      case 2:
        while (there.receive(*theirs_) && random() % 8 != 0) {
        }
        break;
      default:
        while (back.receive(*mine_) && random() % 8 != 0) {
        }
    }
    if (HasFailure()) return;
  }
  EXPECT_EQ(there.received, Stream::kPackets);
  EXPECT_EQ(back.received, Stream::kPackets);
  EXPECT_TRUE(mine_->open());
  EXPECT_TRUE(theirs_->open());
}

TEST_P(SocketChannels, WhoDoesNotReceiveIsSentBoundedMuch) {
  const Bytes packet(StateChannel::kMostPacketBytes, std::byte{1});
  int sent = 0;
  while (sent < 10'000 && mine_->send(packet)) ++sent;
  ASSERT_LT(sent, 10'000);
  EXPECT_FALSE(mine_->send(packet));
  EXPECT_TRUE(mine_->open());
  int received = 0;
  for (int i = 0; i < 1'000'000 && received < sent; ++i) {
    if (theirs_->receive().size() == packet.size()) ++received;
    mine_->flush();
  }
  EXPECT_EQ(received, sent) << "each whole, or not at all";
  EXPECT_TRUE(mine_->flush());
  EXPECT_TRUE(mine_->send(packet));
}

TEST_P(SocketChannels, WhatCameBeforeTheEndIsReceived) {
  const Bytes packet(30'000, std::byte{4});
  EXPECT_TRUE(theirs_->send(packet));
  EXPECT_TRUE(theirs_->send(packet));
  EXPECT_TRUE(theirs_->flush());
  theirs_.reset();
  // Nor does a send that fails, without a signal, lose it.
  for (int i = 0; i < 3; ++i) static_cast<void>(mine_->send(packet));
  EXPECT_EQ(await_packet(*mine_), packet);
  EXPECT_EQ(await_packet(*mine_), packet);
  await_end(*mine_);
  EXPECT_FALSE(mine_->send(packet));
  EXPECT_TRUE(mine_->receive().empty());
}

TEST_P(SocketChannels, ALengthNobodySendsEndsIt) {
  for (const auto& [length, body_bytes] : {std::pair<std::uint32_t, std::size_t>{0, 10},
                                           {StateChannel::kMostPacketBytes + 1, 10},
                                           {~0U, 10},
                                           {0, 0}}) {
    const Stranger stranger(pair_of(GetParam()));
    stranger.send(frame(5, 5));
    stranger.send(frame(length, body_bytes));
    EXPECT_EQ(await_packet(*stranger.channel).size(), 5U);
    await_end(*stranger.channel);
    EXPECT_FALSE(stranger.channel->send(Bytes(1)));
  }
}

TEST_P(SocketChannels, RandomBytesDoNoHarm) {
  std::mt19937_64 random(9);
  for (int round = 0; round < 200; ++round) {
    const Stranger stranger(pair_of(GetParam()));
    for (int i = 0; i < 20 && stranger.channel->open(); ++i) {
      stranger.send(frame(static_cast<std::uint32_t>(random() >> random() % 64), random() % 3'000));
      for (int k = 0; k < 4; ++k) {
        EXPECT_LE(stranger.channel->receive().size(), StateChannel::kMostPacketBytes);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Over, SocketChannels,
                         testing::Values(Kind::tcp, Kind::unix_stream, Kind::unix_packets),
                         [](const auto& kind) -> std::string {
                           switch (kind.param) {
                             case Kind::tcp:
                               return "Tcp";
                             case Kind::unix_stream:
                               return "UnixStream";
                             case Kind::unix_packets:
                               return "UnixPackets";
                           }
                           return "";
                         });

TEST(SocketChannel, OfPacketsEndsWithOneThatIsNotAsLongAsItSays) {
  for (const auto& [length, body_bytes] :
       {std::pair<std::uint32_t, std::size_t>{10, 9},
        {10, 11},
        {StateChannel::kMostPacketBytes, StateChannel::kMostPacketBytes + 1},
        {StateChannel::kMostPacketBytes, 80'000}}) {
    const Stranger stranger(unix_pair(SOCK_SEQPACKET));
    stranger.send(frame(length, body_bytes));
    await_end(*stranger.channel);
  }
}

TEST(SocketChannel, OfAStreamTakesTheSmallestPieces) {
  const Stranger stranger(unix_pair(SOCK_STREAM));
  Bytes bytes = frame(300, 300);
  bytes.insert(bytes.end(), bytes.begin(), bytes.end());
  int packets = 0;
  for (const std::byte byte : bytes) {
    stranger.send(std::span(&byte, 1));
    for (int i = 0; i < 3; ++i) packets += stranger.channel->receive().size() == 300;
  }
  EXPECT_EQ(packets, 2);
}

TEST(SocketChannel, OfAStreamGivesNoPacketThatEndsInTheMiddle) {
  for (const Kind kind : {Kind::tcp, Kind::unix_stream}) {
    Stranger stranger(pair_of(kind));
    stranger.send(frame(1'000, 999));
    stranger.socket.reset();
    await_end(*stranger.channel);
  }
}

TEST(SocketChannel, TakesNoOtherSocket) {
  Pair pair = unix_pair(SOCK_DGRAM);
  const auto channel = SocketChannel::create(std::move(pair.first));
  ASSERT_FALSE(channel);
  EXPECT_EQ(channel.error().code, ErrorCode::not_supported);
  const auto none = SocketChannel::create(Descriptor());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::system);
}

}  // namespace
}  // namespace lockstep::transports
