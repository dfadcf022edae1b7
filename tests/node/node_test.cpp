#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/node/nodes.hpp"
#include "tests/node/running_node.hpp"

// A group as people try it by hand: `lockstep node` in three terminals, `lockstep kv` and `lockstep
// status` in a fourth.

namespace lockstep::test {
namespace {

TEST_P(Nodes, ServeOneStoreAndGoOnWithoutADeadMember) {
  write_config();
  ASSERT_NO_FATAL_FAILURE(start_all());
  put("a", "cart", "5");
  put("b", "cart", "10");
  EXPECT_EQ(get("c", "cart"), "10\n");
  EXPECT_EQ(kv("get", "c", {"cart"}).output, "10\n");
  EXPECT_EQ(kv("get", "a", {"none"}).status, 3);
  const nlohmann::json before = status("c");
  EXPECT_EQ(before["groups"][0]["view"], 1);
  EXPECT_EQ(before["groups"][0]["my_rank"], 2);

  node("b").signal(SIGKILL);
  const std::string of_a = node("a").wait_for("view 2: a c");
  const std::string of_c = node("c").wait_for("view 2: a c");
  EXPECT_EQ(of_a.substr(of_a.find("digest")), of_c.substr(of_c.find("digest")));
  node("a").wait_for("b (rank 1) is unreachable");
  put("c", "cart", "20");
  EXPECT_EQ(get("a", "cart"), "20\n");
  EXPECT_EQ(kv("list", "a").output, "cart = 20\n");

  const nlohmann::json after = status("a");
  EXPECT_FALSE(after["stale"]);
  const nlohmann::json& group = after["groups"][0];
  EXPECT_EQ(group["view"], 2);
  EXPECT_TRUE(group["primary"]);
  EXPECT_EQ(group["members"][0]["rank"], 0);
  EXPECT_TRUE(group["members"][1]["rank"].is_null());
  EXPECT_EQ(group["members"][2]["rank"], 1);
  const Said stale = run({"status", path("b.counters")});
  EXPECT_EQ(stale.status, 1);
  EXPECT_NE(stale.output.find("is stale: process"), std::string::npos) << stale.output;

  node("a").signal(SIGTERM);
  EXPECT_EQ(node("a").end(), 0);
  node("a").wait_for("left in good order");
  node("c").wait_for("view 3: c");
  EXPECT_EQ(get("c", "cart"), "20\n");
  node("c").signal(SIGINT);
  EXPECT_EQ(node("c").end(), 0);
  EXPECT_FALSE(std::filesystem::exists(path("a.sock")));
  EXPECT_EQ(node("b").end(), 128 + SIGKILL);
}

TEST_P(Nodes, LeaveTogether) {
  write_config();
  ASSERT_NO_FATAL_FAILURE(start_all());
  put("b", "key", "value");
  for (const char* self : {"a", "b", "c"}) node(self).signal(SIGTERM);
  for (const char* self : {"a", "b", "c"}) EXPECT_EQ(node(self).end(), 0) << node(self).lines();
}

TEST_P(Nodes, WaitWithoutAQuorumAndSaySo) {
  write_config();
  ASSERT_NO_FATAL_FAILURE(start_all());
  put("a", "key", "value");
  // Both at once, so that no view of two comes between.
  node("b").signal(SIGSTOP);
  node("c").signal(SIGKILL);
  node("b").signal(SIGKILL);
  node("a").wait_for("no quorum");
  EXPECT_EQ(kv("get", "a", {"key"}).output, "value\n");
  const Said said = run({"kv", "put", path("a.sock"), "key", "other", "--timeout", "0.5"});
  EXPECT_EQ(said.status, 1);
  EXPECT_NE(said.output.find("did not answer within 0.5 s"), std::string::npos) << said.output;
  EXPECT_FALSE(status("a")["groups"][0]["primary"]);
  node("a").signal(SIGTERM);
  EXPECT_EQ(node("a").end(), 1);
  EXPECT_NE(node("a").lines().find("did not agree to go on without 'a'"), std::string::npos)
      << node("a").lines();
}

// Whatever its rank was, and with nothing left of it but its name.
TEST_P(Nodes, ComeBackWithTheStateWhenKilledAndStartedAgain) {
  write_config();
  ASSERT_NO_FATAL_FAILURE(start_all());
  put("a", "cart", "5");
  struct Round {
    std::string victim, other, view_without, view_with;
  };
  for (const Round& round :
       {Round{"b", "c", ": a c;", ": a c b;"}, Round{"a", "b", ": c b;", ": c b a;"}}) {
    kill_and_wait(round.victim);
    node(round.other).wait_for(round.view_without);
    put(round.other, "while gone", round.victim);
    RunningNode& back = start_again(round.victim);
    const std::string of_back = back.wait_for(round.view_with);
    EXPECT_EQ(kv("get", round.victim, {"while gone"}).output, round.victim + "\n");
    EXPECT_EQ(kv("get", round.victim, {"cart"}).output, "5\n");
    const std::string of_other = node(round.other).wait_for(round.view_with);
    EXPECT_EQ(of_back.substr(of_back.find("digest")), of_other.substr(of_other.find("digest")));
    put(round.victim, "back", round.victim);
    EXPECT_EQ(get(round.other, "back"), round.victim + "\n");
  }
  for (const char* self : {"a", "b", "c"}) node(self).signal(SIGTERM);
  for (const char* self : {"a", "b", "c"}) EXPECT_EQ(node(self).end(), 0) << node(self).lines();
}

// Stopped for longer than the shortest silence that a heartbeat of 0.1 s allows.
TEST_P(Nodes, ComeBackWithTheStateWhenEvicted) {
  write_config("silence_timeout_ns = 1_000_000_000\n");
  ASSERT_NO_FATAL_FAILURE(start_all());
  put("b", "cart", "5");
  node("b").signal(SIGSTOP);
  node("a").wait_for(": a c;");
  put("c", "cart", "10");
  node("b").signal(SIGCONT);
  node("b").wait_for("evicted: the others went on without this member");
  node("b").wait_for("joining group", 2);
  node("b").wait_for(": a c b;");
  EXPECT_EQ(kv("get", "b", {"cart"}).output, "10\n");
  put("b", "cart", "20");
  EXPECT_EQ(get("a", "cart"), "20\n");
  node("b").signal(SIGTERM);
  EXPECT_EQ(node("b").end(), 0) << node("b").lines();
}

// Its name, or the place where it serves, was not free yet when a member was started again.
TEST_P(Nodes, TryAgainWhileTheirFormerSelfEnds) {
  write_config();
  ASSERT_NO_FATAL_FAILURE(start_all());
  put("a", "key", "value");
  RunningNode other(config_of_another_place(), "b", path("other.lines"));
  other.wait_for("trying again in 0.1 s");
  kill_and_wait("b");
  other.wait_for(": a c b;");
  EXPECT_EQ(kv("get", "other-b", {"key"}).output, "value\n");

  RunningNode same(path("group.toml"), "c", path("same.lines"));
  same.wait_for("somebody serves there; name another path; trying again in 0.1 s");
  kill_and_wait("c");
  same.wait_for(": a b c;");
  EXPECT_EQ(kv("get", "c", {"key"}).output, "value\n");
}

TEST_P(Nodes, GiveUpANameThatStaysTaken) {
  write_config();
  ASSERT_NO_FATAL_FAILURE(start_all());
  RunningNode second(config_of_another_place(), "b", path("second.lines"));
  second.wait_for("trying again in");
  EXPECT_EQ(second.end(), 1) << second.lines();
  put("b", "key", "value");
}

TEST_P(Nodes, EndAtOnceWhenTheirConfigurationIsNotTheOthers) {
  write_config();
  ASSERT_NO_FATAL_FAILURE(start_all());
  kill_and_wait("b");
  node("a").wait_for(": a c;");
  write_config("silence_timeout_ns = 3_000_000_000\n");
  RunningNode& other = start_again("b");
  EXPECT_EQ(other.end(), 1) << other.lines();
  EXPECT_NE(other.lines().find("differ: group.silence_timeout_ns"), std::string::npos)
      << other.lines();
  EXPECT_EQ(other.lines().find("trying again"), std::string::npos) << other.lines();
}

TEST_P(Nodes, TryAgainUntilTheOthersAreThere) {
  write_config("join_timeout_ns = 3_000_000_000\n");
  start("a").wait_for("did not appear within 3.0 s");
  node("a").wait_for("trying again in 0.1 s");
  ASSERT_NO_FATAL_FAILURE(start_all());
}

INSTANTIATE_TEST_SUITE_P(Media, Nodes, testing::Values("shm", "tcp", "udp", "auto"),
                         [](const auto& tested) { return std::string(tested.param); });

class KeyedNodes : public Nodes {
 protected:
  /// Where members authenticate one another by a key of this digit.
  void write_config_with_key(char digit) const {
    const std::string key = path("key");
    std::filesystem::remove(key);
    std::ofstream(key) << std::string(64, digit) << '\n';
    std::filesystem::permissions(key, std::filesystem::perms::owner_read);
    write_config("join_timeout_ns = 3_000_000_000\nkey_file = \"" + key + "\"\n");
  }
};

TEST_P(KeyedNodes, TakeInWhoHasTheKeyAndTellWhoHasAnother) {
  write_config_with_key('a');
  ASSERT_NO_FATAL_FAILURE(start_all());
  put("a", "key", "value");
  kill_and_wait("b");
  node("a").wait_for(": a c;");
  write_config_with_key('b');
  const std::string refused = start_again("b").wait_for("trying again in");
  EXPECT_NE(refused.find("refused the handshake: key, group, version or rank differ; make "
                         "group.key_file"),
            std::string::npos)
      << refused;
  kill_and_wait("b");
  write_config_with_key('a');
  start_again("b").wait_for(": a c b;");
  EXPECT_EQ(kv("get", "b", {"key"}).output, "value\n");
}

INSTANTIATE_TEST_SUITE_P(Media, KeyedNodes, testing::Values("tcp"),
                         [](const auto& tested) { return std::string(tested.param); });

class OneNode : public Nodes {};

TEST_P(OneNode, EndsAtOnceWhileTheOthersAreNotThere) {
  write_config();
  RunningNode& alone = start("a");
  alone.wait_for("joining group");
  const Said said = kv("put", "a", {"key", "value"});
  EXPECT_EQ(said.status, 1);
  EXPECT_NE(said.output.find("has not joined its group yet"), std::string::npos) << said.output;
  alone.signal(SIGTERM);
  EXPECT_EQ(alone.end(), 0);
  alone.wait_for("ended before it had joined");
  EXPECT_FALSE(std::filesystem::exists(path("a.sock")));
}

TEST_P(OneNode, RefusesAWrongFileAndAPlaceThatIsTaken) {
  write_config();
  const Said nobody = run({"node", path("group.toml"), "--self", "d"});
  EXPECT_EQ(nobody.status, 2);
  EXPECT_NE(nobody.output.find("not among group.members"), std::string::npos) << nobody.output;
  EXPECT_EQ(run({"node", path("nothing.toml")}).status, 1);
  start("a").wait_for("joining group");
  const Said twice = run({"node", path("group.toml"), "--self", "a"});
  EXPECT_EQ(twice.status, 1);
  EXPECT_NE(twice.output.find("somebody serves there"), std::string::npos) << twice.output;
}

TEST_P(OneNode, ClientsAreToldWhatIsWrong) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"kv"},
        {"kv", "put", "nowhere", "a", "b"},
        {"kv", "get", "127.0.0.1:7100", ""},
        {"kv", "get", "127.0.0.1:7100", "a", "--timeout", "0"},
        {"status"}}) {
    const Said said = run(words);
    EXPECT_EQ(said.status, 2) << said.output;
  }
  const Said absent = kv("get", "a", {"key"});
  EXPECT_EQ(absent.status, 1);
  EXPECT_NE(absent.output.find("no member answers there"), std::string::npos) << absent.output;
}

INSTANTIATE_TEST_SUITE_P(Media, OneNode, testing::Values("shm"),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace
}  // namespace lockstep::test
