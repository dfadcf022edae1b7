#include "transports/hello/sealed_channel.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

#include "tests/transports/test_key.hpp"

namespace lockstep::transports {
namespace {

using Bytes = std::vector<std::byte>;

/// Two ends of a channel; what one says passes through the test.
class SealedChannels : public testing::Test {
 protected:
  SealedChannels() {
    for (const bool other : {false, true}) {
      std::array<int, 2> ends{};
      EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()),
                0);
      LinkKeys keys;
      fill_test_keys(keys, CipherKind::chacha20_poly1305, other);
      (other ? theirs_ : mine_) = SealedChannel::create(Descriptor(ends[0]), keys).value();
      (other ? their_tap_ : my_tap_) = Descriptor(ends[1]);
    }
  }
  /// What this end says for `packet`.
  Bytes said(std::span<const std::byte> packet) {
    EXPECT_TRUE(mine_->send(packet));
    Bytes all;
    Bytes some(100'000);
    do {
      const ssize_t got = ::recv(my_tap_.get(), some.data(), some.size(), 0);
      if (got > 0) all.insert(all.end(), some.begin(), some.begin() + got);
    } while (!mine_->flush() || all.size() < packet.size());
    return all;
  }
  std::span<const std::byte> heard(std::span<const std::byte> bytes) {
    std::span<const std::byte> packet;
    while (packet.empty() && theirs_->open() && !bytes.empty()) {
      const ssize_t gone = ::send(their_tap_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (gone > 0) bytes = bytes.subspan(static_cast<std::size_t>(gone));
      packet = theirs_->receive();
    }
    return packet.empty() ? theirs_->receive() : packet;
  }

  std::unique_ptr<SealedChannel> mine_;
  std::unique_ptr<SealedChannel> theirs_;
  Descriptor my_tap_;
  Descriptor their_tap_;
};

TEST_F(SealedChannels, CarryPacketsOfEveryLength) {
  std::mt19937_64 random(3);
  for (const std::size_t bytes :
       {std::size_t{1}, std::size_t{17}, std::size_t{4'096}, StateChannel::kMostPacketBytes}) {
    Bytes packet(bytes);
    std::ranges::generate(packet, [&] { return static_cast<std::byte>(random()); });
    EXPECT_TRUE(std::ranges::equal(heard(said(packet)), packet)) << bytes;
  }
  EXPECT_TRUE(theirs_->open());
}

TEST_F(SealedChannels, SayNothingToWhoReadsThem) {
  const Bytes packet(64, std::byte{0xab});
  const Bytes eight(8, std::byte{0xab});
  const Bytes sealed = said(packet);
  EXPECT_TRUE(std::ranges::search(sealed, eight).empty());
}

TEST_F(SealedChannels, AnyChangedByteClosesIt) {
  Bytes sealed = said(Bytes(64, std::byte{1}));
  sealed[20] ^= std::byte{1};
  EXPECT_TRUE(heard(sealed).empty());
  EXPECT_FALSE(theirs_->open());
}

TEST_F(SealedChannels, APacketThatIsLeftOutClosesIt) {
  (void)said(Bytes(8, std::byte{1}));
  EXPECT_TRUE(heard(said(Bytes(8, std::byte{2}))).empty());
  EXPECT_FALSE(theirs_->open());
}

TEST_F(SealedChannels, APacketThatComesAgainClosesIt) {
  const Bytes sealed = said(Bytes(8, std::byte{1}));
  EXPECT_FALSE(heard(sealed).empty());
  EXPECT_TRUE(heard(sealed).empty());
  EXPECT_FALSE(theirs_->open());
}

TEST_F(SealedChannels, WhatIsTooShortToBeSealedClosesIt) {
  const Bytes bare{std::byte{1}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{7}};
  EXPECT_TRUE(heard(bare).empty());
  EXPECT_FALSE(theirs_->open());
}

}  // namespace
}  // namespace lockstep::transports
