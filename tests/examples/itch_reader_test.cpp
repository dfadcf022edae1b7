#include "examples/matching_engine/itch_reader.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/examples/itch_writer.hpp"

namespace lockstep::examples {
namespace {

constexpr std::uint64_t kTime = 34'200'000'000'123;

struct Outcome {
  std::vector<OrderMessage> orders;
  std::string error;  ///< empty: read to the end
};

/// Reads everything, in small steps.
Outcome read(const std::vector<std::byte>& bytes) {
  ItchReader reader(bytes_in_memory("day.itch", bytes));
  Outcome outcome;
  std::array<OrderMessage, 3> batch;
  while (true) {
    const auto got = reader.next(batch);
    if (!got) {
      EXPECT_EQ(got.error().code, ErrorCode::input);
      outcome.error = got.error().message;
      return outcome;
    }
    if (*got == 0) return outcome;
    outcome.orders.insert(outcome.orders.end(), batch.begin(),
                          batch.begin() + static_cast<std::ptrdiff_t>(*got));
  }
}

TEST(ItchReader, TranslatesEveryMessageThatChangesABook) {
  ItchWriter file;
  file.message('S', 0, kTime).text("O");
  file.add(7, kTime, 0x0102030405060708, 'B', 300, 5'853'300);
  file.message('F', 7, kTime + 1).number(12, 8).text("S").number(1, 4).text("AAPL    ");
  file.number(4'294'967'295, 4).text("MPID");
  file.message('E', 7, kTime + 2).number(12, 8).number(5, 4).number(99, 8);
  file.message('C', 7, kTime + 3).number(12, 8).number(6, 4).number(99, 8).text("N").number(77, 4);
  file.message('X', 7, kTime + 4).number(12, 8).number(8, 4);
  file.remove(7, kTime + 5, 12);
  file.message('U', 7, kTime + 6).number(12, 8).number(13, 8).number(9, 4).number(500, 4);
  file.message('P', 7, kTime + 7).number(0, 8).text("S").number(10, 4).text("AAPL    ");
  file.number(600, 4).number(99, 8);
  file.message('Q', 7, kTime + 8).number(11, 8).text("AAPL    ").number(700, 4).number(99, 8);
  file.text("O");
  file.message('H', 7, kTime + 9).text("AAPL    ").text("P").zeros(1).text("LUDP");
  const Outcome outcome = read(file.bytes());
  EXPECT_EQ(outcome.error, "");
  const std::vector<OrderMessage> expected{
      {kTime, 0x0102030405060708, 0, 5'853'300, 300, 7, OrderKind::add_limit, Side::buy, 0},
      {kTime + 1, 12, 0, 4'294'967'295, 1, 7, OrderKind::add_limit, Side::sell, 0},
      {kTime + 2, 12, 0, 0, 5, 7, OrderKind::execute, Side::buy, 0},
      {kTime + 3, 12, 0, 77, 6, 7, OrderKind::execute, Side::buy, 0},
      {kTime + 4, 12, 0, 0, 8, 7, OrderKind::reduce, Side::buy, 0},
      {kTime + 5, 12, 0, 0, 0, 7, OrderKind::cancel, Side::buy, 0},
      {kTime + 6, 12, 13, 500, 9, 7, OrderKind::replace, Side::buy, 0},
      {kTime + 7, 0, 0, 600, 10, 7, OrderKind::hidden_trade, Side::sell, 0},
      {kTime + 8, 0, 0, 700, 11, 7, OrderKind::cross_trade, Side::buy, 0},
      {kTime + 9, 0, 0, 0, 0, 7, OrderKind::trading_status, Side::buy, 2},
  };
  ASSERT_EQ(outcome.orders.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(outcome.orders[i], expected[i]) << i;
}

TEST(ItchReader, SkipsEveryOtherTypeByItsLength) {
  // Type and length from the specification, not from the reader.
  const std::vector<std::pair<char, std::size_t>> others{
      {'R', 39}, {'Y', 20}, {'L', 26}, {'V', 35}, {'W', 12}, {'K', 28},
      {'J', 35}, {'h', 21}, {'B', 19}, {'I', 50}, {'N', 20}, {'O', 48}};
  ItchWriter file;
  for (const auto& [type, length] : others) file.message(type, 7, kTime).zeros(length - 11);
  file.remove(7, kTime, 1);
  const Outcome outcome = read(file.bytes());
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.orders.size(), 1U);
}

TEST(ItchReader, ReadsAcrossItsWindow) {
  ItchWriter file;
  constexpr std::uint64_t kCount = 50'000;  // about 1.9 MB
  for (std::uint64_t id = 1; id <= kCount; ++id) file.add(1, kTime, id, 'B', 1, 1);
  const Outcome outcome = read(file.bytes());
  EXPECT_EQ(outcome.error, "");
  ASSERT_EQ(outcome.orders.size(), kCount);
  for (std::uint64_t id = 1; id <= kCount; ++id) ASSERT_EQ(outcome.orders[id - 1].order_id, id);
}

TEST(ItchReader, AZeroLengthEndsTheFileAndNothingElse) {
  ItchWriter file;
  file.remove(7, kTime, 1);
  std::vector<std::byte> bytes = file.bytes();
  bytes.resize(bytes.size() + 2);
  EXPECT_EQ(read(bytes).error, "");
  EXPECT_EQ(read(bytes).orders.size(), 1U);
  bytes.resize(bytes.size() + 1);
  EXPECT_EQ(read(bytes).error,
            "day.itch: byte 21: message type ?: a length of 0 ends the file, but bytes follow");
}

TEST(ItchReader, RefusesAFileThatEndsTooEarlyWhereverThatIs) {
  ItchWriter file;
  file.remove(7, kTime, 1).add(7, kTime, 2, 'B', 1, 1);
  const std::vector<std::byte> whole = file.bytes();
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const Outcome outcome =
        read({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    const bool at_an_end = size == 0 || size == 21 || size == whole.size();
    EXPECT_EQ(outcome.error.empty(), at_an_end) << size << " " << outcome.error;
  }
  EXPECT_EQ(read({whole.begin(), whole.begin() + 1}).error,
            "day.itch: byte 0: message type ?: the file ends inside a length");
  EXPECT_EQ(read({whole.begin(), whole.begin() + 23}).error,
            "day.itch: byte 21: message type ?: the file ends behind a length");
  EXPECT_EQ(read({whole.begin(), whole.begin() + 30}).error,
            "day.itch: byte 21: message type \"A\": the file ends after 7 of 36 bytes");
}

struct Malformed {
  const char* name;
  void (*write)(ItchWriter&);
  const char* error;  ///< behind "day.itch: byte 21: message type "
};

const Malformed kMalformed[] = {
    {"UnknownType", [](ItchWriter& file) { file.message('z', 7, kTime); },
     "\"z\": unknown message type"},
    {"UnprintableType", [](ItchWriter& file) { file.message('\x07', 7, kTime); },
     "0x07: unknown message type"},
    {"TooLong", [](ItchWriter& file) { file.remove(7, kTime, 1).zeros(1); },
     "\"D\": length 20 instead of 19"},
    {"TooShort", [](ItchWriter& file) { file.message('D', 7, kTime).number(1, 7); },
     "\"D\": length 18 instead of 19"},
    {"SkippedTypeTooShort", [](ItchWriter& file) { file.message('R', 7, kTime); },
     "\"R\": length 11 instead of 39"},
    {"TimeBeyondTheDay", [](ItchWriter& file) { file.remove(7, 86'400'000'000'000, 1); },
     "\"D\": the time is not within one day"},
    {"SideOfAnAdd", [](ItchWriter& file) { file.add(7, kTime, 1, 'b', 1, 1); },
     "\"A\": the side is neither B nor S"},
    {"SharesOfAnAdd", [](ItchWriter& file) { file.add(7, kTime, 1, 'B', 0, 1); },
     "\"A\": the number of shares is 0"},
    {"PriceOfAnAdd", [](ItchWriter& file) { file.add(7, kTime, 1, 'B', 1, 0); },
     "\"A\": the price is 0"},
    {"SharesOfAnExecution",
     [](ItchWriter& file) { file.message('E', 7, kTime).number(1, 8).number(0, 4).number(1, 8); },
     "\"E\": the number of executed shares is 0"},
    {"PrintableOfAnExecution",
     [](ItchWriter& file) {
       file.message('C', 7, kTime).number(1, 8).number(1, 4).number(1, 8).text("?").number(1, 4);
     },
     "\"C\": printable is neither Y nor N"},
    {"SharesOfACancel",
     [](ItchWriter& file) { file.message('X', 7, kTime).number(1, 8).number(0, 4); },
     "\"X\": the number of cancelled shares is 0"},
    {"SharesOfAReplacement",
     [](ItchWriter& file) {
       file.message('U', 7, kTime).number(1, 8).number(2, 8).number(0, 4).number(1, 4);
     },
     "\"U\": the number of shares is 0"},
    {"PriceOfAReplacement",
     [](ItchWriter& file) {
       file.message('U', 7, kTime).number(1, 8).number(2, 8).number(1, 4).number(0, 4);
     },
     "\"U\": the price is 0"},
    {"SideOfATrade",
     [](ItchWriter& file) {
       file.message('P', 7, kTime).number(1, 8).text("x").number(1, 4).zeros(8 + 4 + 8);
     },
     "\"P\": the side is neither B nor S"},
    {"SharesOfACross",
     [](ItchWriter& file) {
       file.message('Q', 7, kTime).number(4'294'967'296, 8).zeros(8 + 4 + 8 + 1);
     },
     "\"Q\": more than 2^32-1 shares in one cross"},
    {"StateOfAHalt",
     [](ItchWriter& file) { file.message('H', 7, kTime).zeros(8).text("x").zeros(5); },
     "\"H\": the trading state is not H, P, Q or T"},
    {"SystemEvent", [](ItchWriter& file) { file.message('S', 0, kTime).text("x"); },
     "\"S\": the event code is not O, S, Q, M, E or C"},
};

class MalformedItch : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedItch, NamesFileOffsetTypeAndReason) {
  ItchWriter file;
  file.remove(7, kTime, 1);
  GetParam().write(file);
  file.remove(7, kTime, 2);
  EXPECT_EQ(read(file.bytes()).error,
            std::string("day.itch: byte 21: message type ") + GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(Each, MalformedItch, testing::ValuesIn(kMalformed),
                         [](const auto& malformed) { return malformed.param.name; });

}  // namespace
}  // namespace lockstep::examples
