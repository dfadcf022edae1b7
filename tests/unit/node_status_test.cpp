#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <utility>

#include "runtime/counters.hpp"
#include "tests/unit/runtime_folder.hpp"
#include "tools/node/status.hpp"
#include "transports/link_choice.hpp"

namespace lockstep::node {
namespace {

std::vector<CounterReading> readings_of(const std::string& group) {
  const std::string prefix = "group." + group + ".";
  return {{"reactor.sleeps", 4},
          {prefix + "frames_delivered", 9},
          {prefix + "stalls_by_rank.0", 0},
          {prefix + "stalls_by_rank.1", 3},
          {prefix + "view", 2},
          {prefix + "my_rank", 0},
          {prefix + "primary", 1},
          {prefix + "rank_of.a", 0},
          {prefix + "lag_of.a", 0},
          {prefix + "unreachable_of.a", 0},
          {prefix + "rank_of.b.view", ~std::uint64_t{0}},
          {prefix + "lag_of.b.view", 0},
          {prefix + "unreachable_of.b.view", 0}};
}

TEST(Status, FindsGroupsAndMembersWhateverTheirNames) {
  for (const char* name : {"orders", "a.view", "group.x"}) {
    const auto groups = groups_in(readings_of(name));
    ASSERT_EQ(groups.size(), 1U) << name;
    EXPECT_EQ(groups[0].name, name);
    EXPECT_EQ(groups[0].view, 2U);
    EXPECT_TRUE(groups[0].primary);
    EXPECT_EQ(groups[0].frames_delivered, 9U);
    ASSERT_EQ(groups[0].members.size(), 2U);
    EXPECT_EQ(groups[0].members[0].rank, 0U);
    EXPECT_EQ(groups[0].members[1].name, "b.view");
    EXPECT_FALSE(groups[0].members[1].rank);
    EXPECT_EQ(groups[0].members[1].stalls, 3U);
  }
}

TEST(Status, ShowsTheLatestOfAGroupThatWasJoinedAgain) {
  auto readings = readings_of("orders");
  for (CounterReading reading : readings_of("orders")) {
    if (reading.name == "group.orders.view") reading.value = 7;
    readings.push_back(reading);
  }
  const auto groups = groups_in(readings);
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_EQ(groups[0].view, 7U);
  EXPECT_EQ(groups[0].members.size(), 2U);
}

TEST(Status, ShowsTheMediumOfEachLinkAndWhyNoFasterOne) {
  auto readings = readings_of("orders");
  for (CounterReading& reading : readings) {
    if (reading.name == "group.orders.rank_of.b.view") reading.value = 1;
  }
  const auto add = [&](const char* what, std::uint64_t value) {
    readings.push_back({fmt::format("group.orders.{}_of.b.view", what), value});
  };
  add("medium", std::to_underlying(transports::Medium::tcp));
  add("encrypted", 1);
  add("no_shm", std::to_underlying(transports::Obstacle::other_host));
  add("no_verbs", std::to_underlying(transports::Obstacle::unsealed));
  const GroupStatus group = groups_in(readings).at(0);
  EXPECT_EQ(group.members[0].medium, "");
  EXPECT_EQ(group.members[1].medium, "tcp, encrypted");
  ASSERT_EQ(group.members[1].passed_over.size(), 2U);
  EXPECT_EQ(group.members[1].passed_over[0], "not shm: it runs on another host");
  const std::string text = to_text(group);
  EXPECT_NE(text.find("reachable by tcp, encrypted"), std::string::npos) << text;
  EXPECT_NE(text.find("not verbs: the group is to be encrypted"), std::string::npos) << text;
}

/// A member of a later build may say what this program has no word for.
TEST(Status, HasAWordForEveryObstacle) {
  for (std::uint64_t number = 1; number <= std::to_underlying(transports::kLastObstacle) + 1U;
       ++number) {
    auto readings = readings_of("orders");
    readings.push_back({"group.orders.no_shm_of.a", number});
    const std::string line = groups_in(readings).at(0).members[0].passed_over.at(0);
    const bool known = number <= std::to_underlying(transports::kLastObstacle);
    EXPECT_EQ(line.find("number") == std::string::npos, known) << line;
  }
}

TEST(Status, TellsARunningWriterFromOneThatIsGone) {
  const tests::Folder folder;
  const std::string path = folder.file("counters");
  EXPECT_FALSE(writer_of(path));
  {
    const auto counters = runtime::Counters::open(path);
    ASSERT_TRUE(counters) << counters.error().message;
    const auto writer = writer_of(path);
    ASSERT_TRUE(writer) << writer.error().message;
    EXPECT_TRUE(writer->is_alive);
    EXPECT_EQ(writer->pid, static_cast<std::uint64_t>(::getpid()));
    std::filesystem::copy_file(path, folder.file("left"));
  }
  EXPECT_FALSE(writer_of(folder.file("left"))->is_alive);
}

}  // namespace
}  // namespace lockstep::node
