#include "bench/options.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace lockstep::bench {
namespace {

using Cores = std::vector<std::int32_t>;

Cpus cpus(const Cores& allowed) { return {allowed, allowed}; }

TEST(ParseCores, TakesNumbersAndRanges) {
  EXPECT_EQ(*parse_cores("0"), (Cores{0}));
  EXPECT_EQ(*parse_cores("3,1"), (Cores{3, 1}));
  EXPECT_EQ(*parse_cores("0,4-6,2"), (Cores{0, 4, 5, 6, 2}));
}

TEST(ParseCores, RefusesAnythingElseAndQuotesIt) {
  for (const char* text : {"", ",", "0,", "a", "1-", "-1", "3-1", "0-99999", "1.5", "0 1"}) {
    const auto cores = parse_cores(text);
    ASSERT_FALSE(cores.has_value()) << text;
    EXPECT_EQ(cores.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(cores.error().message.find("--cores"), std::string::npos);
  }
}

TEST(MakePlan, SendersAreAllOrACount) {
  Options options;
  options.members = 3;
  EXPECT_EQ(make_plan(options, cpus({0}))->senders, 3U);
  options.senders = std::string("2");
  EXPECT_EQ(make_plan(options, cpus({0}))->senders, 2U);
  for (const char* wrong : {"0", "4", "", "some", "-1", "2x"}) {
    options.senders = std::string(wrong);
    const auto plan = make_plan(options, cpus({0}));
    ASSERT_FALSE(plan.has_value()) << wrong;
    EXPECT_NE(plan.error().message.find("--senders"), std::string::npos);
  }
}

TEST(MakePlan, PinsOneMemberPerCpuOnlyWhenAllCanSpin) {
  Options options;
  options.members = 2;
  EXPECT_EQ(make_plan(options, cpus({4, 7, 9}))->cores, (Cores{4, 7}));
  options.idle = IdlePolicy::spin;
  EXPECT_EQ(make_plan(options, cpus({4, 7}))->cores, (Cores{4, 7}));
  EXPECT_TRUE(make_plan(options, cpus({4}))->cores.empty());
  options.idle = IdlePolicy::backoff;
  EXPECT_TRUE(make_plan(options, cpus({4, 7}))->cores.empty());
}

TEST(MakePlan, UnpinnedMembersStillMeasureTheFloorOnTwoCpus) {
  Options options;
  options.idle = IdlePolicy::backoff;
  EXPECT_EQ(make_plan(options, {{4, 7}, {7, 4}})->floor_cores, (std::array{7, 4}));
  EXPECT_EQ(make_plan(options, cpus({4}))->floor_cores, (std::array{-1, -1}));
}

TEST(MakePlan, CoresMustBeOneEachAndAllowed) {
  Options options;
  options.members = 2;
  options.cores = std::string("7,4");
  EXPECT_EQ(make_plan(options, cpus({4, 7}))->cores, (Cores{7, 4}));
  for (const char* wrong : {"4", "4,7,9", "4,5"}) {
    options.cores = std::string(wrong);
    const auto plan = make_plan(options, cpus({4, 7, 9}));
    ASSERT_FALSE(plan.has_value()) << wrong;
    EXPECT_NE(plan.error().message.find(wrong), std::string::npos);
  }
}

TEST(MakePlan, NamesTheOptionOutOfRange) {
  const auto refusal = [](auto change) {
    Options options;
    change(options);
    const auto plan = make_plan(options, cpus({0, 1}));
    EXPECT_FALSE(plan.has_value());
    return plan ? std::string() : plan.error().message;
  };
  EXPECT_NE(refusal([](Options& o) { o.members = 1; }).find("--members"), std::string::npos);
  EXPECT_NE(refusal([](Options& o) { o.members = 65; }).find("--members"), std::string::npos);
  EXPECT_NE(refusal([](Options& o) { o.seconds = 0; }).find("--seconds"), std::string::npos);
  EXPECT_NE(refusal([](Options& o) { o.seconds = -1; }).find("--seconds"), std::string::npos);
  EXPECT_NE(refusal([](Options& o) { o.rate = -1; }).find("--rate"), std::string::npos);
  EXPECT_NE(refusal([](Options& o) { o.payload_bytes = 1ULL << 40; }).find("--payload-bytes"),
            std::string::npos);
  EXPECT_NE(refusal([](Options& o) { o.ring_bytes = 1000; }).find("ring"), std::string::npos);
}

}  // namespace
}  // namespace lockstep::bench
