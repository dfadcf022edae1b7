#include <gtest/gtest.h>

#include <string>

#include "runtime/endpoint.hpp"

namespace lockstep::runtime {
namespace {

std::string rewritten(const std::string& text) {
  const auto endpoint = parse_endpoint(text);
  return endpoint ? to_text(*endpoint) : endpoint.error().message;
}

TEST(Endpoint, IsWrittenInOneWay) {
  EXPECT_EQ(rewritten("10.0.0.1:7000"), "10.0.0.1:7000");
  EXPECT_EQ(rewritten("10.0.0.1:07000"), "10.0.0.1:7000");
  EXPECT_EQ(rewritten("[FD00:0:0::1]:7000"), "[fd00::1]:7000");
  EXPECT_EQ(rewritten("[fe80::1%lo]:7000"), "[fe80::1%lo]:7000");
}

TEST(Endpoint, HasABoundedText) {
  const std::string longest = "[1111:2222:3333:4444:5555:6666:255.255.255.255]:65535";
  EXPECT_TRUE(parse_endpoint(longest));
  const std::string zeros(kMostEndpointCharacters - 10, '0');
  EXPECT_TRUE(parse_endpoint("10.0.0.1:" + zeros + "1"));
  EXPECT_FALSE(parse_endpoint("10.0.0.1:" + zeros + "01"));
  const auto huge = parse_endpoint(std::string(1'000'000, '0'));
  ASSERT_FALSE(huge);
  EXPECT_LT(huge.error().message.size(), 200U);
}

TEST(Endpoint, TellsWhatMeansSomethingAtOneHostOnly) {
  for (const char* text : {"0.0.0.0:1", "[::]:1", "[fe80::1]:1", "[fe80::1%lo]:1"}) {
    EXPECT_TRUE(is_of_one_host(*parse_endpoint(text))) << text;
  }
  for (const char* text : {"127.0.0.1:1", "10.0.0.1:1", "[::1]:1", "[fd00::1]:1"}) {
    EXPECT_FALSE(is_of_one_host(*parse_endpoint(text))) << text;
  }
}

TEST(Endpoint, KeepsItsPortAtAnotherHost) {
  const Endpoint any = *parse_endpoint("0.0.0.0:7000");
  EXPECT_EQ(to_text(*at_host(any, "10.0.0.2")), "10.0.0.2:7000");
  EXPECT_EQ(to_text(*at_host(any, "fd00::2")), "[fd00::2]:7000");
  EXPECT_FALSE(at_host(any, ""));
}

}  // namespace
}  // namespace lockstep::runtime
