#include "transports/hello/address_book.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace lockstep::transports {
namespace {

constexpr const char* kMine = "10.0.0.1:7000";

/// Of four members, as rank 0; `configured` are ranks 1 to 3.
AddressBook book_of(const std::string& one = "", const std::string& two = "",
                    const std::string& three = "") {
  return AddressBook({kMine, one, two, three}, 0, 100);
}

void tell(AddressBook& book, std::uint32_t teller, std::uint32_t rank, std::uint64_t version,
          const std::string& address, const std::string& host = "10.9.9.9") {
  const std::vector<AddressWord> words = {{.rank = rank, .version = version, .address = address}};
  book.heed(teller, host, words);
}

/// The words about `rank` that are told to others: "3 10.0.0.2:1" or nothing.
std::string told(const AddressBook& book, std::uint32_t rank) {
  for (const AddressWord& word : book.words()) {
    if (word.rank == rank) return fmt::format("{} {}", word.version, word.address);
  }
  return {};
}

TEST(AddressBook, BeginsWithWhatIsConfiguredAndTellsOnlyOfItself) {
  const AddressBook book = book_of("10.0.0.2:1", "");
  EXPECT_EQ(book.address(1), "10.0.0.2:1");
  EXPECT_TRUE(book.is_configured(1, "10.0.0.2:1"));
  EXPECT_EQ(book.address(2), "");
  EXPECT_EQ(book.address(0), "");
  ASSERT_EQ(book.words().size(), 1U);
  EXPECT_EQ(told(book, 0), "100 10.0.0.1:7000");
}

TEST(AddressBook, TellsWhatAMemberSaidItselfAndNotWhatOthersSaidOfIt) {
  AddressBook book = book_of();
  tell(book, 1, 1, 5, "10.0.0.2:1");
  tell(book, 1, 2, 6, "10.0.0.3:1");
  EXPECT_EQ(book.address(1), "10.0.0.2:1");
  EXPECT_EQ(book.address(2), "10.0.0.3:1");
  EXPECT_EQ(told(book, 1), "5 10.0.0.2:1");
  EXPECT_EQ(told(book, 2), "");
}

TEST(AddressBook, OfWhatOthersSayTheNewerWordIsTriedFirst) {
  AddressBook book = book_of();
  tell(book, 1, 2, 7, "10.0.0.3:1");
  tell(book, 3, 2, 6, "10.0.0.3:9");
  EXPECT_EQ(book.address(2), "10.0.0.3:1");
  tell(book, 3, 2, 8, "10.0.0.3:9");
  EXPECT_EQ(book.address(2), "10.0.0.3:9");
  EXPECT_TRUE(book.has_others(2));
}

// It came back at another host, whose clock is behind.
TEST(AddressBook, AMembersOwnWordIsNewerThanAllOthersSay) {
  AddressBook book = book_of();
  tell(book, 1, 2, 70, "10.0.0.3:1");
  tell(book, 2, 2, 3, "10.0.0.4:1");
  EXPECT_EQ(book.address(2), "10.0.0.4:1");
  EXPECT_EQ(told(book, 2), "71 10.0.0.4:1");
  tell(book, 1, 2, 70, "10.0.0.3:1");
  EXPECT_EQ(book.address(2), "10.0.0.4:1");
  tell(book, 2, 2, 3, "10.0.0.4:1");
  EXPECT_EQ(told(book, 2), "71 10.0.0.4:1");
}

TEST(AddressBook, TheHighestVersionDoesNotWrapAround) {
  constexpr auto kHighest = std::numeric_limits<std::uint64_t>::max();
  AddressBook book = book_of();
  tell(book, 1, 2, kHighest, "10.0.0.3:1");
  tell(book, 2, 2, 3, "10.0.0.4:1");
  EXPECT_EQ(book.address(2), "10.0.0.4:1");
  EXPECT_EQ(told(book, 2), fmt::format("{} 10.0.0.4:1", kHighest));
}

TEST(AddressBook, AConfiguredAddressGoesFirstUntilNobodyIsThere) {
  AddressBook book = book_of("", "10.0.0.3:1");
  tell(book, 2, 2, 5, "10.0.0.4:1");
  EXPECT_EQ(book.address(2), "10.0.0.3:1");
  book.nobody_there(2, "10.0.0.3:1");
  EXPECT_EQ(book.address(2), "10.0.0.4:1");
  EXPECT_FALSE(book.exhausted(2));
  book.nobody_there(2, "10.0.0.4:1");
  EXPECT_TRUE(book.exhausted(2));
  EXPECT_EQ(book.address(2), "10.0.0.3:1");
  book.met(2, "10.0.0.4:1");
  EXPECT_FALSE(book.exhausted(2));
  EXPECT_EQ(book.address(2), "10.0.0.4:1");
}

TEST(AddressBook, WhoSaysAnotherAddressThanBeforeHasMovedThere) {
  AddressBook book = book_of("", "10.0.0.3:1");
  tell(book, 2, 2, 5, "10.0.0.3:1");
  book.met(2, "10.0.0.3:1");
  tell(book, 2, 2, 6, "10.0.0.4:1");
  EXPECT_EQ(book.address(2), "10.0.0.4:1");
  tell(book, 2, 2, 7, "10.0.0.3:1");
  EXPECT_EQ(book.address(2), "10.0.0.3:1");
}

// Behind a relay: what it says of itself leads nowhere from here.
TEST(AddressBook, WhereAMemberWasMetStaysFirstThoughItSaysOtherwiseAgain) {
  AddressBook book = book_of("", "10.0.0.3:1");
  tell(book, 2, 2, 5, "192.168.0.1:1");
  book.met(2, "10.0.0.3:1");
  tell(book, 2, 2, 5, "192.168.0.1:1");
  EXPECT_EQ(book.address(2), "10.0.0.3:1");
}

TEST(AddressBook, ALieIsForgottenAndWhatWasConfiguredIsNot) {
  AddressBook book = book_of("", "10.0.0.3:1");
  book.nobody_there(2, "10.0.0.3:1");
  tell(book, 1, 2, 9, "10.6.6.6:6");
  ASSERT_EQ(book.address(2), "10.6.6.6:6");
  book.disproved(2, "10.6.6.6:6");
  EXPECT_EQ(book.address(2), "10.0.0.3:1");
  EXPECT_FALSE(book.has_others(2));
  book.disproved(2, "10.0.0.3:1");
  EXPECT_EQ(book.address(2), "10.0.0.3:1");
  tell(book, 3, 3, 4, "10.6.6.6:6");
  book.disproved(3, "10.6.6.6:6");
  EXPECT_EQ(book.address(3), "");
  EXPECT_EQ(told(book, 3), "");
}

TEST(AddressBook, SaysNothingToMeOfMyselfAndOfWhoIsNoMember) {
  AddressBook book = book_of();
  tell(book, 1, 0, 900, "10.6.6.6:6");
  tell(book, 1, 4, 900, "10.6.6.6:6");
  tell(book, 1, 63, 900, "10.6.6.6:6");
  EXPECT_EQ(book.address(0), "");
  EXPECT_EQ(told(book, 0), "100 10.0.0.1:7000");
  EXPECT_EQ(book.words().size(), 1U);
}

TEST(AddressBook, WhoListensAtAllAddressesOfItsHostIsWhereItIsSeen) {
  AddressBook book = book_of();
  tell(book, 1, 1, 5, "0.0.0.0:7001", "10.0.0.2");
  EXPECT_EQ(book.address(1), "10.0.0.2:7001");
  tell(book, 2, 2, 5, "[::]:7002", "fd00::2");
  EXPECT_EQ(book.address(2), "[fd00::2]:7002");
  EXPECT_EQ(told(book, 2), "5 [fd00::2]:7002");
  // Of somebody else that says nothing, and neither does it where no host is known.
  tell(book, 1, 3, 5, "0.0.0.0:7003");
  tell(book, 3, 3, 5, "0.0.0.0:7003", "");
  EXPECT_EQ(book.address(3), "");
}

TEST(AddressBook, AnAddressOfOneLinkIsToldWithoutItsScopeAndNotOfOthers) {
  AddressBook book({"[fe80::1%lo]:7000", "", ""}, 0, 100);
  EXPECT_EQ(told(book, 0), "100 [fe80::1]:7000");
  tell(book, 1, 1, 5, "[fe80::2]:7001", "fe80::2%lo");
  EXPECT_EQ(book.address(1), "[fe80::2%lo]:7001");
  EXPECT_EQ(told(book, 1), "");
  tell(book, 1, 2, 5, "[fe80::3]:7001");
  EXPECT_EQ(book.address(2), "");
}

TEST(AddressBook, TheSameAddressInOtherWordsIsKeptOnce) {
  AddressBook book = book_of("[fd00:0::0:1]:7001", "");
  tell(book, 1, 1, 5, "[fd00::1]:7001");
  EXPECT_EQ(book.address(1), "[fd00::1]:7001");
  EXPECT_FALSE(book.has_others(1));
}

// However much is told, few addresses are kept, and the configured one and the member's own word
// are among them.
TEST(AddressBook, KeepsFewAddressesOfEachMember) {
  AddressBook book = book_of("", "10.0.0.3:1");
  tell(book, 2, 2, 1, "10.0.0.4:1");
  std::mt19937 chance(7);
  for (int i = 0; i < 1'000; ++i) {
    const auto version = 1 + chance() % 50;
    tell(book, i % 2 == 0 ? 1 : 3, 2, version, fmt::format("10.6.6.6:{}", 1 + chance() % 100));
    if (i % 3 == 0) book.nobody_there(2, book.address(2));
  }
  tell(book, 2, 2, 2, "10.0.0.5:1");
  std::vector<std::string> tried;
  while (!book.exhausted(2)) {
    tried.push_back(book.address(2));
    book.nobody_there(2, tried.back());
    ASSERT_LE(tried.size(), AddressBook::kMostPerMember);
  }
  EXPECT_EQ(std::ranges::count(tried, "10.0.0.5:1"), 1);
  while (book.has_others(2)) book.disproved(2, book.address(2));
  EXPECT_EQ(book.address(2), "10.0.0.3:1");
}

// ---- words on the wire --------------------------------------------------------------------------

std::vector<AddressWord> some_words() {
  return {{.rank = 0, .version = 1, .address = "10.0.0.1:7000"},
          {.rank = 2, .version = ~std::uint64_t{0}, .address = "[fd00::1]:65535"},
          {.rank = kMaxMembers - 1, .version = 3, .address = "0.0.0.0:1"}};
}

TEST(AddressWords, ComeBackAsTheyWereSaid) {
  const std::string text = encode_words(some_words());
  const auto words = decode_words(text);
  ASSERT_TRUE(words);
  ASSERT_EQ(words->size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ((*words)[i].rank, some_words()[i].rank);
    EXPECT_EQ((*words)[i].version, some_words()[i].version);
    EXPECT_EQ((*words)[i].address, some_words()[i].address);
  }
  EXPECT_TRUE(decode_words(""));
}

TEST(AddressWords, OfAllMembersFitIntoAHello) {
  std::vector<AddressWord> words;
  for (std::uint32_t rank = 0; rank < kMaxMembers; ++rank) {
    words.push_back({.rank = rank,
                     .version = ~std::uint64_t{0},
                     .address = "[1111:2222:3333:4444:5555:6666:7777:8888]:65535"});
  }
  const std::string text = encode_words(words);
  EXPECT_LE(text.size(), kMaxAddressWordsBytes);
  EXPECT_EQ(decode_words(text)->size(), kMaxMembers);
}

TEST(AddressWords, CutOffOrStrangeAreNone) {
  const std::string text = encode_words(some_words());
  const std::size_t first = kMaxAddressWordBytes - runtime::kMostEndpointCharacters + 13;
  const std::size_t second = first + 10 + 15;
  for (std::size_t bytes = 1; bytes < text.size(); ++bytes) {
    const bool between = bytes == first || bytes == second;
    EXPECT_EQ(decode_words(text.substr(0, bytes)).has_value(), between) << bytes;
  }
  const auto refused = [](std::vector<AddressWord> words) {
    return !decode_words(encode_words(words)).has_value();
  };
  EXPECT_TRUE(refused({{.rank = 1, .version = 0, .address = "10.0.0.1:7000"}}));
  EXPECT_TRUE(refused({{.rank = 1, .version = 1, .address = ""}}));
  EXPECT_TRUE(refused({{.rank = 1, .version = 1, .address = "localhost:7000"}}));
  EXPECT_TRUE(refused({{.rank = 1, .version = 1, .address = "10.0.0.1:0"}}));
  EXPECT_TRUE(refused({{.rank = 1, .version = 1, .address = "[fe80::1%lo]:7000"}}));
  std::string twice = text.substr(0, first);
  EXPECT_FALSE(decode_words(twice + twice));
  twice[0] = static_cast<char>(kMaxMembers);
  EXPECT_FALSE(decode_words(twice));
}

}  // namespace
}  // namespace lockstep::transports
