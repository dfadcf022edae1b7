// Who encrypts, and that it happens: two members whose bytes pass through a test.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

#include "runtime/clock.hpp"
#include "runtime/word.hpp"
#include "tests/transports/connected.hpp"
#include "tests/transports/test_key.hpp"
#include "tools/launch/local_addresses.hpp"
#include "transports/hello/machine.hpp"
#include "transports/tcp/tcp_transport.hpp"

namespace lockstep::transports {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

TEST(Encryption, IsForLinksBetweenHostsUnlessToldOtherwise) {
  const Machine here{.host = 1};
  const Machine beside{.host = 1, .abilities = kHasAes};
  const Machine elsewhere{.host = 2};
  EXPECT_FALSE(seals(Encryption::off_host, here, beside));
  EXPECT_TRUE(seals(Encryption::off_host, here, elsewhere));
  EXPECT_TRUE(seals(Encryption::always, here, here));
  EXPECT_FALSE(seals(Encryption::never, here, elsewhere));
}

TEST(Encryption, TakesTheCipherThatBothCan) {
  const Machine with{.abilities = kHasAes};
  const Machine without{};
  EXPECT_EQ(common_cipher(with, with), CipherKind::aes256_gcm);
  EXPECT_EQ(common_cipher(with, without), CipherKind::chacha20_poly1305);
  EXPECT_EQ(common_cipher(without, with), CipherKind::chacha20_poly1305);
}

TEST(Encryption, TwoProcessesOfOneHostKnowIt) {
  EXPECT_EQ(this_machine(), this_machine());
  EXPECT_NE(this_machine().host, 0U);
}

/// From the configuration to the wire: one member encrypts and the other does not (settings are
/// compared above this floor), so nothing that is written may arrive. If neither did, all would.
class OneSided : public testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<Connection> connected(std::uint32_t rank, const char* encryption) const {
    return connect_all({.name = "one-sided",
                        .members = {"a", "b"},
                        .addresses = addresses_,
                        .transport = GetParam(),
                        .key_file = key_.path(),
                        .encryption = encryption,
                        .join_timeout_ns = 30 * kSecond},
                       {.my_rank = rank,
                        .region_bytes = 4'096,
                        .source_bytes = 64,
                        .memory = {},
                        .introduction = {}});
  }
  /// Whether a word of rank 0 gets to rank 1.
  bool arrives(const char* first, const char* second) const {
    std::unique_ptr<Connection> ends[2];
    std::thread other([&] { ends[1] = connected(1, second); });
    ends[0] = connected(0, first);
    other.join();
    if (!ends[0] || !ends[1]) return false;
    const std::uint64_t word[] = {7};
    ends[0]->transport->write(1, 0, 0, std::as_bytes(std::span(word)), 1);
    ends[0]->transport->flush(1);
    const runtime::TscClock clock;
    const std::uint64_t deadline_ns = clock.now_ns() + patience_ns(first, second);
    const auto* place = ends[1]->transport->inbound(0, 0).data();
    std::array<LinkDown, 2> downs;
    while (clock.now_ns() < deadline_ns) {
      for (const auto& end : ends) end->transport->poll(downs);
      if (runtime::load_acquire(*reinterpret_cast<const std::uint64_t*>(place)) == 7) return true;
    }
    return false;
  }
  /// What is to arrive is waited for as long as it takes.
  static std::uint64_t patience_ns(std::string_view first, std::string_view second) {
    const bool one_sided = (first == "always") != (second == "always");
    return one_sided ? kSecond / 2 : 30 * kSecond;
  }

  const TestKeyFile key_;
  const std::vector<std::string> addresses_ = launch::local_addresses("tcp", 2, {}).value();
};

INSTANTIATE_TEST_SUITE_P(Over, OneSided, testing::Values("tcp", "udp"),
                         [](const auto& transport) { return std::string(transport.param); });

TEST_P(OneSided, EncryptionLetsNothingThrough) {
  EXPECT_TRUE(arrives("always", "always"));
  EXPECT_FALSE(arrives("always", "never"));
  EXPECT_FALSE(arrives("never", "always"));
}

TEST_P(OneSided, OnOneHostAutomaticIsNever) { EXPECT_TRUE(arrives("automatic", "never")); }

/// Two members over TCP; the test carries what each says to the other.
class TappedPair : public testing::TestWithParam<TcpIo> {
 protected:
  void make(bool encrypted) {
    for (std::uint32_t rank : {0U, 1U}) {
      transports_[rank] = TcpTransport::open({.members = 2,
                                              .region_bytes = 4'096,
                                              .source_bytes = 4'096,
                                              .blocks = {},
                                              .io = GetParam()})
                              .value();
      int pair[2] = {-1, -1};
      ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
      taps_[rank] = Descriptor(pair[1]);
      MetPeer peer;
      peer.rank = 1 - rank;
      peer.socket = Descriptor(pair[0]);
      if (encrypted) {
        peer.keys = std::make_unique<LinkKeys>();
        fill_test_keys(*peer.keys, CipherKind::chacha20_poly1305, rank == 1);
      }
      auto made = transports_[rank]->link_maker()->make(std::move(peer));
      ASSERT_TRUE(made) << made.error().message;
      ASSERT_TRUE(transports_[rank]->adopt(std::move(*made)));
    }
  }

  /// Rank 0 writes a word.
  void write(std::uint64_t word) {
    const std::uint64_t words[] = {word};
    ASSERT_EQ(transports_[0]->write(1, 0, 0, std::as_bytes(std::span(words)), 1), Post::posted);
    transports_[0]->flush(1);
    transports_[0]->ring_doorbells();
  }
  /// What rank 0 says.
  std::vector<std::byte> said() {
    std::array<std::byte, 4'096> buffer;
    for (int patience = 0; patience < 10'000; ++patience) {
      std::array<LinkDown, 2> downs;
      transports_[0]->poll(downs);
      const ssize_t got = ::recv(taps_[0].get(), buffer.data(), buffer.size(), 0);
      if (got > 0) return {buffer.begin(), buffer.begin() + got};
      std::this_thread::yield();
    }
    return {};
  }
  /// Gives it to rank 1, until there is a word or the link is down: which of them.
  std::uint64_t hear(const std::vector<std::byte>& bytes) {
    EXPECT_EQ(::send(taps_[1].get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    for (int patience = 0; patience < 10'000; ++patience) {
      std::array<LinkDown, 2> downs;
      if (transports_[1]->poll(downs) > 0) reason_ = downs[0].reason;
      const auto* place = transports_[1]->inbound(0, 0).data();
      const auto word = runtime::load_acquire(*reinterpret_cast<const std::uint64_t*>(place));
      if (word != seen_ || reason_) return seen_ = word;
      std::this_thread::yield();
    }
    return seen_;
  }

  std::unique_ptr<TcpTransport> transports_[2];
  Descriptor taps_[2];
  std::uint64_t seen_ = 0;
  std::optional<DownReason> reason_;
};

INSTANTIATE_TEST_SUITE_P(Tcp, TappedPair, testing::Values(TcpIo::sockets, TcpIo::io_uring),
                         [](const auto& io) {
                           return io.param == TcpIo::sockets ? "Sockets" : "IoUring";
                         });

constexpr std::uint64_t kWord = 0x5ec2'e700'5ec2'e7aa;

bool tells(const std::vector<std::byte>& bytes) {
  const std::uint64_t words[] = {kWord};
  return !std::ranges::search(bytes, std::as_bytes(std::span(words))).empty();
}

TEST_P(TappedPair, InTheClearTheWireTellsEverything) {
  make(false);
  write(kWord);
  const auto bytes = said();
  EXPECT_TRUE(tells(bytes));
  EXPECT_EQ(hear(bytes), kWord);
}

TEST_P(TappedPair, WithKeysItTellsNothingThoughTheyAreRenewed) {
  make(true);
  for (std::uint64_t i = 0; i < 10; ++i) {
    transports_[0]->renew_keys();
    write(kWord + i);
    const auto bytes = said();
    EXPECT_FALSE(tells(bytes)) << i;
    EXPECT_EQ(hear(bytes), kWord + i);
  }
  EXPECT_FALSE(reason_);
}

TEST_P(TappedPair, WhatWasAlteredEndsTheLinkAndIsNotApplied) {
  make(true);
  write(kWord);
  auto bytes = said();
  bytes[sizeof(RecordHeader) + 3] ^= std::byte{4};
  EXPECT_EQ(hear(bytes), 0U);
  EXPECT_EQ(reason_, DownReason::protocol_error);
}

TEST_P(TappedPair, WhatIsPlayedBackEndsTheLinkAndIsNotApplied) {
  make(true);
  write(1);
  const auto first = said();
  EXPECT_EQ(hear(first), 1U);
  write(2);
  EXPECT_EQ(hear(said()), 2U);
  EXPECT_EQ(hear(first), 2U);
  EXPECT_EQ(reason_, DownReason::protocol_error);
}

TEST(Encryption, AlwaysNeedsAKeyAndAMediumThatCanEncrypt) {
  const TestKeyFile key;
  GroupConfig config{.name = "encryption",
                     .self = "a",
                     .members = {"a", "b"},
                     .addresses = launch::local_addresses("tcp", 2, {}).value(),
                     .transport = "tcp",
                     .key_file = key.path(),
                     .encryption = "always",
                     .join_timeout_ns = 30 * kSecond};
  EXPECT_TRUE(validate(config));
  config.key_file.clear();
  const auto without = validate(config);
  ASSERT_FALSE(without);
  EXPECT_NE(without.error().message.find("without group.key_file"), std::string::npos);
  config.key_file = key.path();
  for (const char* bare : {"shm", "verbs"}) {
    config.transport = bare;
    const auto refused = validate(config);
    ASSERT_FALSE(refused) << bare;
    EXPECT_NE(refused.error().message.find("only tcp, udp and dpdk"), std::string::npos);
  }
}

}  // namespace
}  // namespace lockstep::transports
