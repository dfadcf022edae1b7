#include <gtest/gtest.h>

#include <vector>

#include "membership/welcome.hpp"

namespace lockstep::membership {
namespace {

// A joiner, of link 3, was welcomed to view 5 of links 0 and 2; it had links to both when they were
// in view 4.
TEST(Welcome, CountsAsLongAsItsMembersHaveNotLetTheJoinerGo) {
  FirstView first{.view = 5, .layout = {}, .donors = {}};
  first.layout.members = 3;
  first.layout.my_rank = 2;
  first.layout.links = {0, 2, 3};
  EXPECT_TRUE(still_runs(first, std::vector<std::uint64_t>{4, 9, 4, 9})) << "others do not count";
  EXPECT_FALSE(still_runs(first, std::vector<std::uint64_t>{5, 0, 4, 0}));
  EXPECT_FALSE(still_runs(first, std::vector<std::uint64_t>{4, 0, 6, 0}));
}

}  // namespace
}  // namespace lockstep::membership
