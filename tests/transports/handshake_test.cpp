// The handshake and the sealed hellos without a socket: two exchanges say their words to one
// another through a test that may keep, repeat or alter them.

#include "transports/hello/handshake.hpp"

#include <gtest/gtest.h>
#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <new>
#include <optional>

#include "tests/transports/test_key.hpp"
#include "transports/hello/authenticated_exchange.hpp"
#include "transports/hello/clear_exchange.hpp"

namespace lockstep::transports {
namespace {

using Bytes = std::vector<std::byte>;

Bytes hello_of(std::uint32_t rank) {
  return encode({.medium = Medium::tcp,
                 .rank = rank,
                 .region_bytes = 4'096,
                 .introduction = "members a, b and c",
                 .parameters = "where they are"});
}

/// One end, and what came of it.
struct End {
  std::unique_ptr<HelloExchange> exchange;
  bool dialled = false;
  Bytes inbox{};
  Bytes outbox{};  ///< all that it ever said
  Heard result{};

  bool over() const { return result.what != Heard::What::nothing; }

  /// Takes what is there. What it says then goes through `wire` into `other`.
  void turn(End& other, const std::function<void(Bytes&)>& wire) {
    while (!over() && inbox.size() >= exchange->wanted()) {
      const std::size_t wanted = exchange->wanted();
      result = exchange->hear(std::span(inbox).first(wanted));
      inbox.erase(inbox.begin(), inbox.begin() + static_cast<std::ptrdiff_t>(wanted));
      // As the meeting does: who was dialled says its hello when it has heard one.
      if (result.what == Heard::What::hello && !dialled) exchange->say(hello_of(0));
      speak(other, wire);
    }
  }
  void speak(End& other, const std::function<void(Bytes&)>& wire) {
    Bytes said = exchange->take_output();
    outbox.insert(outbox.end(), said.begin(), said.end());
    wire(said);
    other.inbox.insert(other.inbox.end(), said.begin(), said.end());
  }
  std::string heard_introduction() const {
    const auto hello = decode(result.packet);
    return hello ? hello->introduction : "";
  }
};

void as_it_is(Bytes&) {}

const HandshakeTerms kTerms{.group = "orders", .welcomer_rank = 0};

class HandshakeTest : public testing::Test {
 protected:
  End dialler(const HandshakeTerms& terms = kTerms) const {
    return secure(key_, Side::dialler, terms);
  }
  End welcomer(const HandshakeTerms& terms = kTerms) const {
    return secure(key_, Side::welcomer, terms);
  }
  static End secure(const GroupKey& key, Side side, const HandshakeTerms& terms) {
    End end{.exchange = std::make_unique<AuthenticatedExchange>(key, side, terms),
            .dialled = side == Side::dialler};
    if (side == Side::dialler) end.exchange->say(hello_of(1));
    return end;
  }

  static void run(End& dialler, End& welcomer,
                  const std::function<void(Bytes&)>& to_welcomer = as_it_is,
                  const std::function<void(Bytes&)>& to_dialler = as_it_is) {
    dialler.speak(welcomer, to_welcomer);
    for (int turn = 0; turn < 8; ++turn) {
      welcomer.turn(dialler, to_dialler);
      dialler.turn(welcomer, to_welcomer);
    }
  }

  static void expect_met(const End& end) {
    EXPECT_EQ(end.result.what, Heard::What::hello) << end.result.reason;
    EXPECT_EQ(end.heard_introduction(), "members a, b and c");
  }

  /// Neither heard a hello, and nothing of one was on the wire.
  static void expect_refused(const End& dialler, const End& welcomer) {
    for (const End* end : {&dialler, &welcomer}) {
      EXPECT_NE(end->result.what, Heard::What::hello);
      EXPECT_LE(end->outbox.size(), sizeof(Preamble) + sizeof(Greeting));
    }
    EXPECT_EQ(welcomer.result.what, Heard::What::refused);
    EXPECT_NE(welcomer.result.reason.find("key, group, version or rank differ"), std::string::npos)
        << welcomer.result.reason;
    EXPECT_EQ(dialler.result.what, Heard::What::refused);
    EXPECT_NE(dialler.result.reason.find("key, group, version or rank differ"), std::string::npos)
        << dialler.result.reason;
    // A refusal of nothing but its name, before any answer.
    EXPECT_EQ(welcomer.outbox.size(), sizeof(Preamble));
  }

  const GroupKey key_ = test_key();
};

TEST_F(HandshakeTest, RightKeyMeets) {
  End one = dialler();
  End other = welcomer();
  run(one, other);
  expect_met(one);
  expect_met(other);
  EXPECT_TRUE(one.inbox.empty());
  EXPECT_TRUE(other.inbox.empty());
}

TEST_F(HandshakeTest, NothingOfTheGroupIsReadableOnTheWire) {
  End one = dialler();
  End other = welcomer();
  run(one, other);
  for (const End* end : {&one, &other}) {
    const std::string_view said(reinterpret_cast<const char*>(end->outbox.data()),
                                end->outbox.size());
    for (const char* word : {"orders", "members", "where they are"}) {
      EXPECT_EQ(said.find(word), std::string_view::npos) << word;
    }
  }
}

TEST_F(HandshakeTest, WrongKeyIsRefusedAndLearnsNothing) {
  const GroupKey wrong = test_key('2');
  End one = secure(wrong, Side::dialler, kTerms);
  End other = welcomer();
  run(one, other);
  expect_refused(one, other);
}

TEST_F(HandshakeTest, WrongGroupVersionOrRankIsRefusedAndLearnsNothing) {
  HandshakeTerms group = kTerms;
  group.group = "order";
  HandshakeTerms version = kTerms;
  ++version.version;
  HandshakeTerms rank = kTerms;
  ++rank.welcomer_rank;
  for (const HandshakeTerms& terms : {group, version, rank}) {
    End one = dialler(terms);
    End other = welcomer();
    run(one, other);
    expect_refused(one, other);
  }
}

TEST_F(HandshakeTest, KeyAtTheWelcomerOnlyIsToldHowToMendIt) {
  End one{.exchange = std::make_unique<ClearExchange>()};
  one.exchange->say(hello_of(1));
  End other = welcomer();
  run(one, other);
  EXPECT_EQ(other.result.what, Heard::What::refused);
  EXPECT_EQ(one.result.what, Heard::What::mismatch);
  for (const End* end : {&one, &other}) {
    EXPECT_NE(end->result.reason.find("set group.key_file"), std::string::npos);
  }
}

TEST_F(HandshakeTest, KeyAtTheDiallerOnlyIsToldHowToMendIt) {
  End one = dialler();
  End other{.exchange = std::make_unique<ClearExchange>()};
  run(one, other);
  EXPECT_EQ(other.result.what, Heard::What::mismatch);
  EXPECT_EQ(one.result.what, Heard::What::refused);
  for (const End* end : {&one, &other}) {
    EXPECT_NE(end->result.reason.find("set group.key_file"), std::string::npos);
  }
  EXPECT_LE(one.outbox.size(), sizeof(Preamble) + sizeof(Greeting));
}

TEST_F(HandshakeTest, PlayedBackDiallerIsRefused) {
  End one = dialler();
  End other = welcomer();
  run(one, other);
  End again = welcomer();
  End nobody = dialler();
  again.inbox = one.outbox;
  again.turn(nobody, as_it_is);
  EXPECT_EQ(again.result.what, Heard::What::refused);
  EXPECT_NE(again.result.reason.find("played back"), std::string::npos) << again.result.reason;
  EXPECT_EQ(again.outbox.size(), sizeof(Preamble) + sizeof(Greeting));
}

TEST_F(HandshakeTest, PlayedBackWelcomerIsRefused) {
  End one = dialler();
  End other = welcomer();
  run(one, other);
  End again = dialler();
  End nobody = welcomer();
  again.speak(nobody, as_it_is);
  again.inbox = other.outbox;
  again.turn(nobody, as_it_is);
  EXPECT_EQ(again.result.what, Heard::What::refused);
  EXPECT_EQ(again.outbox.size(), sizeof(Preamble) + sizeof(Greeting));
}

/// Two dials between the same two, the words of one given to the other.
TEST_F(HandshakeTest, WordsOfAnotherConnectionAreRefused) {
  End one = dialler();
  End other = welcomer();
  End third = dialler();
  End fourth = welcomer();
  const auto exchange_words = [](End& asking, End& answering, End& receiving) {
    asking.speak(answering, as_it_is);
    answering.turn(receiving, as_it_is);
  };
  exchange_words(one, other, third);
  exchange_words(third, fourth, one);
  one.turn(other, as_it_is);
  third.turn(fourth, as_it_is);
  EXPECT_EQ(one.result.what, Heard::What::refused);
  EXPECT_EQ(third.result.what, Heard::What::refused);
}

TEST_F(HandshakeTest, ReflectedHandshakeIsRefused) {
  // What a dialler says comes back to it, as it is and dressed up as an answer.
  for (const bool dressed : {false, true}) {
    End one = dialler();
    End mirror = welcomer();
    one.speak(mirror, as_it_is);
    one.inbox = one.outbox;
    if (dressed) one.inbox[offsetof(Preamble, what)] = std::byte{2};
    one.turn(mirror, as_it_is);
    EXPECT_EQ(one.result.what, Heard::What::refused);
    EXPECT_EQ(one.outbox.size(), sizeof(Preamble) + sizeof(Greeting));
  }
  // What it says is carried to its own door, where it has another rank than whom it dialled.
  End one = dialler({.group = "orders", .welcomer_rank = 0});
  End itself = welcomer({.group = "orders", .welcomer_rank = 1});
  run(one, itself);
  expect_refused(one, itself);
  // A welcomer's own tag is no confirmation.
  End asking = dialler();
  End asked = welcomer();
  asking.speak(asked, as_it_is);
  asked.turn(asking, as_it_is);
  const auto tag = std::span(asked.outbox).last(sizeof(Tag));
  asked.inbox.assign(tag.begin(), tag.end());
  asked.turn(asking, as_it_is);
  EXPECT_EQ(asked.result.what, Heard::What::refused);
}

TEST_F(HandshakeTest, AnyFlippedBitIsRefused) {
  End one = dialler();
  End other = welcomer();
  run(one, other);
  for (const bool to_welcomer : {true, false}) {
    const std::size_t bits = 8 * (to_welcomer ? one : other).outbox.size();
    for (std::size_t bit = 0; bit < bits; ++bit) {
      std::size_t passed = 0;
      const auto flip = [&](Bytes& said) {
        const std::size_t byte = bit / 8;
        if (byte >= passed && byte < passed + said.size()) {
          said[byte - passed] ^= std::byte{1} << static_cast<int>(bit % 8);
        }
        passed += said.size();
      };
      End asking = dialler();
      End asked = welcomer();
      if (to_welcomer) {
        run(asking, asked, flip);
      } else {
        run(asking, asked, as_it_is, flip);
      }
      const End& altered = to_welcomer ? asked : asking;
      ASSERT_EQ(altered.result.what, Heard::What::refused) << bit << altered.result.reason;
    }
  }
}

/// Public keys that give the same shared secret with every key: X25519 tells, and they are refused
/// even from who knows the key of the group.
TEST_F(HandshakeTest, PublicKeyOfNoSecretIsRefused) {
  Handshake mine(key_, kTerms);
  Greeting zero = mine.opening();
  zero.ephemeral.fill(0);
  EXPECT_FALSE(mine.accepts(zero));
}

/// The words and keys computed once more, from docs/transports.md: what both sides have wrong
/// alike, as a secret that is not mixed in, shows here only.
TEST_F(HandshakeTest, WordsAndKeysAreThoseOfTheDocumentation) {
  unsigned char secret[32];
  Greeting mine;
  crypto_box_keypair(mine.ephemeral.data(), secret);
  const auto digest = [&](const char* purpose, std::initializer_list<const unsigned char*> keys) {
    std::string text;
    const auto add = [&](const void* field, std::uint64_t bytes) {
      text.append(reinterpret_cast<const char*>(&bytes), sizeof bytes);
      text.append(static_cast<const char*>(field), bytes);
    };
    const std::string_view protocol = "Lockstep handshake 1: X25519 BLAKE2b XChaCha20-Poly1305";
    const std::uint32_t version = 6;
    const std::uint32_t rank = 0;
    add(protocol.data(), protocol.size());
    add(purpose, std::string_view(purpose).size());
    add(&version, sizeof version);
    add("orders", 6);
    add(&rank, sizeof rank);
    for (const unsigned char* key : keys) add(key, 32);
    std::array<unsigned char, 32> result;
    const auto shared_key = key_.bytes();
    crypto_generichash(result.data(), result.size(),
                       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                       shared_key.data(), shared_key.size());
    return result;
  };
  mine.tag = digest("opening", {mine.ephemeral.data()});
  Handshake theirs(key_, kTerms);
  const auto answer = theirs.answer(mine);
  ASSERT_TRUE(answer);
  unsigned char shared[32];
  ASSERT_EQ(crypto_scalarmult(shared, secret, answer->ephemeral.data()), 0);
  const auto master = digest("master", {mine.ephemeral.data(), answer->ephemeral.data(), shared});
  const auto derived = [&](std::uint64_t number) {
    std::array<unsigned char, 32> result;
    crypto_kdf_derive_from_key(result.data(), result.size(), number, "lockstep", master.data());
    return result;
  };
  const auto sealing_key = [&](Side side) {
    std::array<unsigned char, 32> result;
    std::copy_n(theirs.sealing_key(side).data(), result.size(), result.begin());
    return result;
  };
  EXPECT_EQ(theirs.confirmation(), derived(1));
  EXPECT_EQ(answer->tag, derived(2));
  EXPECT_EQ(sealing_key(Side::dialler), derived(3));
  EXPECT_EQ(sealing_key(Side::welcomer), derived(4));
  for (const Side side : {Side::dialler, Side::welcomer}) {
    Secret key;
    theirs.take_link_key(side, key);
    const auto expected = derived(side == Side::dialler ? 5 : 6);
    EXPECT_EQ(std::memcmp(key.data(), expected.data(), expected.size()), 0);
    theirs.take_link_key(side, key);
    EXPECT_TRUE(sodium_is_zero(key.data(), Secret::size())) << "it was to be had once";
  }
}

TEST_F(HandshakeTest, SecretsLeaveNothingBehind) {
  alignas(Secret) std::array<unsigned char, sizeof(Secret)> place{};
  auto* secret = new (place.data()) Secret;
  std::fill_n(secret->data(), Secret::size(), static_cast<unsigned char>(0x5a));
  secret->~Secret();
  EXPECT_TRUE(sodium_is_zero(place.data(), place.size()));
}

TEST_F(HandshakeTest, EveryConnectionHasKeysOfItsOwn) {
  Handshake one(key_, kTerms);
  Handshake other(key_, kTerms);
  EXPECT_NE(one.opening().ephemeral, other.opening().ephemeral);
  EXPECT_NE(one.opening().tag, other.opening().tag);
}

TEST_F(HandshakeTest, WhatAStrangerMaySendHasAFixedLength) {
  End asked = welcomer();
  EXPECT_EQ(asked.exchange->wanted(), sizeof(Preamble));
  End asking = dialler();
  asking.speak(asked, as_it_is);
  asked.turn(asking, as_it_is);
  EXPECT_FALSE(asked.exchange->early());
  EXPECT_EQ(asked.exchange->wanted(), sizeof(Tag));
  EXPECT_TRUE(asking.exchange->early());
}

}  // namespace
}  // namespace lockstep::transports
