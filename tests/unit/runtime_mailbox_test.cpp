#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "runtime/mailbox.hpp"

namespace lockstep::runtime {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::unique_ptr<Mailbox> make(std::uint32_t slots, std::uint32_t payload_bytes) {
  auto mailbox = Mailbox::create(slots, payload_bytes);
  EXPECT_TRUE(mailbox) << mailbox.error().message;
  return std::move(*mailbox);
}

TEST(Mailbox, GivesBackWhatWasPushedInOrder) {
  const auto mailbox = make(4, 16);
  Mailbox::View view;
  EXPECT_FALSE(mailbox->front(view));
  EXPECT_EQ(mailbox->push(bytes_of("first"), 1), Push::pushed);
  EXPECT_EQ(mailbox->push(bytes_of(""), 2), Push::pushed);
  EXPECT_EQ(mailbox->push(bytes_of("sixteen bytes ok"), 3), Push::pushed);
  ASSERT_TRUE(mailbox->front(view));
  EXPECT_EQ(text_of(view.payload), "first");
  EXPECT_EQ(view.token, 1U);
  ASSERT_TRUE(mailbox->front(view));  // looking does not take
  EXPECT_EQ(view.token, 1U);
  mailbox->pop_front();
  ASSERT_TRUE(mailbox->front(view));
  EXPECT_TRUE(view.payload.empty());
  EXPECT_EQ(view.token, 2U);
  mailbox->pop_front();
  ASSERT_TRUE(mailbox->front(view));
  EXPECT_EQ(text_of(view.payload), "sixteen bytes ok");
  mailbox->pop_front();
  EXPECT_FALSE(mailbox->front(view));
}

TEST(Mailbox, RefusesWhatIsTooLarge) {
  const auto mailbox = make(2, 8);
  EXPECT_EQ(mailbox->push(bytes_of("nine byte"), 0), Push::too_large);
  Mailbox::View view;
  EXPECT_FALSE(mailbox->front(view));
  EXPECT_EQ(mailbox->push(bytes_of("8 bytes."), 0), Push::pushed);
}

TEST(Mailbox, IsFullAtItsSlotsOnEveryLap) {
  const auto mailbox = make(4, 8);
  ASSERT_EQ(mailbox->slots(), 4U);
  Mailbox::View view;
  std::uint64_t next_pushed = 0;
  std::uint64_t next_popped = 0;
  for (int lap = 0; lap < 5; ++lap) {
    while (mailbox->push({}, next_pushed) == Push::pushed) ++next_pushed;
    EXPECT_EQ(mailbox->push({}, 0), Push::full);
    EXPECT_EQ(next_pushed - next_popped, 4U);
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(mailbox->front(view));
      EXPECT_EQ(view.token, next_popped++);
      mailbox->pop_front();
    }
  }
}

TEST(Mailbox, RoundsItsSlotsUp) {
  EXPECT_EQ(make(0, 0)->slots(), 2U);
  EXPECT_EQ(make(1, 0)->slots(), 2U);
  EXPECT_EQ(make(5, 0)->slots(), 8U);
  EXPECT_EQ(make(1'024, 8)->slots(), 1'024U);
}

TEST(Mailbox, PayloadsAreAligned) {
  const auto mailbox = make(8, 13);
  Mailbox::View view;
  for (int i = 0; i < 8; ++i) {
    ASSERT_EQ(mailbox->push(bytes_of("x"), 0), Push::pushed);
    ASSERT_TRUE(mailbox->front(view));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view.payload.data()) % 8, 0U);
    mailbox->pop_front();
  }
}

TEST(MailboxDeathTest, PoppingNothingAsserts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto mailbox = make(2, 0);
  EXPECT_DEATH(mailbox->pop_front(), "broken invariant");
}

/// What one producer sends: its n-th message is n, repeated as often as n says.
constexpr std::size_t kMostWords = 8;

std::span<const std::byte> fill(std::array<std::uint64_t, kMostWords>& words, std::uint64_t n) {
  words.fill(n);
  return std::as_bytes(std::span(words).first(n % (kMostWords + 1)));
}

/// Few slots, so that full and empty both happen all the time.
TEST(Mailbox, FourThreadsIntoOneLoseAndMixNothing) {
  constexpr std::uint64_t kThreads = 4;
  constexpr std::uint64_t kMessages = 20'000;
  const auto mailbox = make(16, sizeof(std::uint64_t) * kMostWords);
  std::vector<std::jthread> producers;
  for (std::uint64_t producer = 0; producer < kThreads; ++producer) {
    producers.emplace_back([&mailbox, producer] {
      std::array<std::uint64_t, kMostWords> words;
      for (std::uint64_t n = 0; n < kMessages; ++n) {
        const auto payload = fill(words, n);
        while (mailbox->push(payload, producer << 32 | n) != Push::pushed)
          std::this_thread::yield();
      }
    });
  }
  std::array<std::uint64_t, kThreads> next{};
  std::array<std::uint64_t, kMostWords> words;
  std::uint64_t wrong = 0;
  for (std::uint64_t received = 0; received < kThreads * kMessages;) {
    Mailbox::View view;
    if (!mailbox->front(view)) {
      std::this_thread::yield();
      continue;
    }
    const std::uint64_t n = view.token & 0xffff'ffff;
    const auto expected = fill(words, n);
    if (n != next[view.token >> 32]++) ++wrong;
    if (view.payload.size() != expected.size()) {
      ++wrong;
    } else if (!expected.empty() &&
               std::memcmp(view.payload.data(), expected.data(), expected.size()) != 0) {
      ++wrong;
    }
    mailbox->pop_front();
    ++received;
  }
  producers.clear();
  EXPECT_EQ(wrong, 0U);
  Mailbox::View view;
  EXPECT_FALSE(mailbox->front(view));
}

}  // namespace
}  // namespace lockstep::runtime
