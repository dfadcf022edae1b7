#include "examples/matching_engine/lobster_reader.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lockstep::examples {
namespace {

struct Outcome {
  std::vector<OrderMessage> orders;
  std::string error;  ///< empty: read to the end
};

Outcome read(const std::string& text) {
  LobsterReader reader(bytes_in_memory("hour.csv", std::as_bytes(std::span(text))));
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

constexpr const char* kHeader = "seconds,message_type,order_id,quantity,price,direction\n";
constexpr std::uint64_t kTime = 34'200'000'000'000;

TEST(LobsterReader, TranslatesEveryType) {
  const Outcome outcome = read(
      "34200.004241176,1,16113575,18,5853300,1\n"
      "34200.004241176,2,16113575,8,5853300,1\n"
      "34200.00426064,3,18446744073709551615,18,5853200,-1\n"
      "34200.1,4,7,100,4294967295,-1\n"
      "34201,5,0,100,5857900,-1\n"
      "34202,6,-1,130,1187600,-1\n"
      "34203,7,0,0,-1,-1\n"
      "34203,7,0,0,0,-1\n"
      "34203,7,0,0,1,-1\n");
  EXPECT_EQ(outcome.error, "");
  const auto second = [](std::uint64_t n) { return kTime + n * 1'000'000'000; };
  const std::vector<OrderMessage> expected{
      {kTime + 4'241'176, 16113575, 0, 5'853'300, 18, 0, OrderKind::add_limit, Side::buy, 0},
      {kTime + 4'241'176, 16113575, 0, 0, 8, 0, OrderKind::reduce, Side::buy, 0},
      {kTime + 4'260'640, ~std::uint64_t{0}, 0, 0, 0, 0, OrderKind::cancel, Side::sell, 0},
      {kTime + 100'000'000, 7, 0, 4'294'967'295, 100, 0, OrderKind::execute, Side::sell, 0},
      {second(1), 0, 0, 5'857'900, 100, 0, OrderKind::hidden_trade, Side::sell, 0},
      {second(2), 0, 0, 1'187'600, 130, 0, OrderKind::cross_trade, Side::sell, 0},
      {second(3), 0, 0, 0, 0, 0, OrderKind::trading_status, Side::buy, 1},
      {second(3), 0, 0, 0, 0, 0, OrderKind::trading_status, Side::buy, 3},
      {second(3), 0, 0, 0, 0, 0, OrderKind::trading_status, Side::buy, 4},
  };
  ASSERT_EQ(outcome.orders.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(outcome.orders[i], expected[i]) << i;
}

TEST(LobsterReader, TakesAHeaderAndEveryLineEnd) {
  const std::string line = "34200.5,1,1,1,1,1";
  for (const std::string& text :
       {line, line + "\n", line + "\r\n", kHeader + line, kHeader + line + "\r\n"}) {
    const Outcome outcome = read(text);
    EXPECT_EQ(outcome.error, "") << text;
    ASSERT_EQ(outcome.orders.size(), 1U) << text;
    EXPECT_EQ(outcome.orders[0].time_ns, kTime + 500'000'000);
  }
  EXPECT_EQ(read(kHeader).orders.size(), 0U);
  EXPECT_EQ(read(kHeader).error, "");
}

TEST(LobsterReader, RoundsTimesToNanoseconds) {
  const auto time_of = [](const std::string& time) {
    const Outcome outcome = read(time + ",1,1,1,1,1");
    EXPECT_EQ(outcome.error, "");
    return outcome.orders.at(0).time_ns;
  };
  EXPECT_EQ(time_of("0"), 0U);
  EXPECT_EQ(time_of("0.000000001"), 1U);
  EXPECT_EQ(time_of("0.0000000014999"), 1U);
  EXPECT_EQ(time_of("0.000000001500"), 2U);
  EXPECT_EQ(time_of("34200.999999999999"), kTime + 1'000'000'000);
  EXPECT_EQ(time_of("86399.999999999"), 86'399'999'999'999U);
}

TEST(LobsterReader, ReadsAcrossItsWindowAndAgainAfterRewind) {
  std::string text = kHeader;
  constexpr std::uint64_t kCount = 30'000;  // about 1 MB
  for (std::uint64_t id = 1; id <= kCount; ++id) {
    text += "34200.123456789,1," + std::to_string(id) + ",100,5853300,-1\n";
  }
  LobsterReader reader(bytes_in_memory("hour.csv", std::as_bytes(std::span(text))));
  std::vector<OrderMessage> orders(kCount + 1);
  for (int pass = 0; pass < 2; ++pass) {
    const auto got = reader.next(orders);
    ASSERT_TRUE(got) << got.error().message;
    ASSERT_EQ(*got, kCount);
    for (std::uint64_t id = 1; id <= kCount; ++id) ASSERT_EQ(orders[id - 1].order_id, id);
    reader.rewind();
  }
}

struct Malformed {
  const char* name;
  std::string line;
  std::string error;  ///< behind "hour.csv:3: message type "
};

const Malformed kMalformed[] = {
    {"Empty", "", "?: 1 fields instead of 6"},
    {"TooFewFields", "34201,1,1,1,1", "\"1\": 5 fields instead of 6"},
    {"TooManyFields", "34201,1,1,1,1,1,MPID", "\"1\": 7 fields instead of 6"},
    {"SecondHeader", "seconds,message_type,order_id,quantity,price,direction",
     "\"message_\": the time is not in seconds from 0 to 86400"},
    {"TimeNoNumber", "x,1,1,1,1,1", "\"1\": the time is not in seconds from 0 to 86400"},
    {"TimeNegative", "-1,1,1,1,1,1", "\"1\": the time is not in seconds from 0 to 86400"},
    {"TimeBeyondTheDay", "86400,1,1,1,1,1", "\"1\": the time is not in seconds from 0 to 86400"},
    {"TimeEndsWithPoint", "34201.,1,1,1,1,1", "\"1\": the time is not in seconds from 0 to 86400"},
    {"TimeWithExponent", "34201.1e3,1,1,1,1,1",
     "\"1\": the time is not in seconds from 0 to 86400"},
    {"TimeBackwards", "34199.999,1,1,1,1,1", "\"1\": the time goes backwards"},
    {"TypeUnknown", "34201,8,1,1,1,1", "\"8\": unknown message type: it is 1 to 7"},
    {"TypeZero", "34201,0,1,1,1,1", "\"0\": unknown message type: it is 1 to 7"},
    {"TypeTooLong", "34201,12,1,1,1,1", "\"12\": unknown message type: it is 1 to 7"},
    {"TypeEmpty", "34201,,1,1,1,1", "\"\": unknown message type: it is 1 to 7"},
    {"IdNegative", "34201,1,-1,1,1,1", "\"1\": the order id is not a number from 0 to 2^64-1"},
    {"IdTooLarge", "34201,1,18446744073709551616,1,1,1",
     "\"1\": the order id is not a number from 0 to 2^64-1"},
    {"IdWithSpace", "34201,1, 1,1,1,1", "\"1\": the order id is not a number from 0 to 2^64-1"},
    {"SizeTooLarge", "34201,1,1,4294967296,1,1",
     "\"1\": the size is not a number from 0 to 2^32-1"},
    {"SizeZero", "34201,1,1,0,1,1", "\"1\": the size is 0"},
    {"PriceNoNumber", "34201,1,1,1,1.5,1", "\"1\": the price is not a whole number"},
    {"PriceZero", "34201,1,1,1,0,1", "\"1\": the price is not from 1 to 2^32-1"},
    {"PriceNegative", "34201,4,1,1,-5,1", "\"4\": the price is not from 1 to 2^32-1"},
    {"PriceTooLarge", "34201,1,1,1,4294967296,1", "\"1\": the price is not from 1 to 2^32-1"},
    {"PriceOfAHalt", "34201,7,0,0,2,-1", "\"7\": the price of a halt is neither -1, 0 nor 1"},
    {"Direction", "34201,1,1,1,1,0", "\"1\": the direction is neither 1 nor -1"},
    {"TooLong", std::string(257, '1'), "?: the line has more than 256 characters"},
    {"MuchTooLong", std::string(1'000'000, '1'), "?: the line has more than 256 characters"},
};

class MalformedLobster : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedLobster, NamesFileLineTypeAndReason) {
  const Outcome outcome =
      read(std::string(kHeader) + "34200,1,1,1,1,1\n" + GetParam().line + "\n34202,1,2,1,1,1\n");
  EXPECT_EQ(outcome.error, "hour.csv:3: message type " + GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(Each, MalformedLobster, testing::ValuesIn(kMalformed),
                         [](const auto& malformed) { return malformed.param.name; });

TEST(LobsterReader, RefusesAHeaderOfAnotherShape) {
  EXPECT_EQ(read("time,type\n").error, "hour.csv:1: message type \"type\": 2 fields instead of 6");
}

}  // namespace
}  // namespace lockstep::examples
