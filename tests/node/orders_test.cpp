#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <list>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "examples/matching_engine/engine.hpp"
#include "examples/matching_engine/generator.hpp"
#include "tests/node/nodes.hpp"
#include "tests/node/running_node.hpp"

// The matching engine on three nodes: `lockstep orders` sends to any of them.

namespace lockstep::test {
namespace {

constexpr const char* kEngine = "application = \"matching_engine\"\nbook_orders = 10_000\n";

class Engines : public Nodes {
 protected:
  [[nodiscard]] std::vector<std::string> send_words(const std::string& self,
                                                    std::vector<std::string> more) const {
    std::vector<std::string> words = {"orders", "send", path(self + ".sock"), "--timeout", "20"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  [[nodiscard]] Said send(const std::string& self, std::vector<std::string> more) const {
    return run(send_words(self, std::move(more)));
  }
  /// What it has come to, all orders that were confirmed before included.
  [[nodiscard]] std::string digest(const std::string& self) const {
    const Said said = run({"orders", "digest", path(self + ".sock"), "--ordered"});
    EXPECT_EQ(said.status, 0) << said.output;
    return said.output;
  }
  /// Until it has applied some.
  [[nodiscard]] bool wait_for_orders(const std::string& self) const {
    for (int i = 0; i < 1'000; ++i) {
      const Said said = run({"orders", "digest", path(self + ".sock")});
      if (said.status == 0 && said.output.find("  0 orders, ") == std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  void expect_equal_digests() const {
    const std::string of_a = digest("a");
    EXPECT_TRUE(of_a.starts_with("digest ")) << of_a;
    EXPECT_EQ(digest("b"), of_a);
    EXPECT_EQ(digest("c"), of_a);
  }
};

/// The digest of an engine that nobody replicates.
std::string digest_alone(std::uint64_t seed, std::uint64_t orders) {
  examples::MatchingEngine engine(10'000);
  examples::OrderGenerator source(seed, orders);
  std::array<examples::OrderMessage, 256> some;
  for (std::size_t got; (got = source.next(some).value()) > 0;) {
    for (const examples::OrderMessage& order : std::span(some).first(got)) engine.apply(order);
  }
  return examples::to_hex(engine.digest());
}

TEST_P(Engines, ApplyWhatOneClientSendsLikeAnEngineAlone) {
  write_config("", kEngine);
  ASSERT_NO_FATAL_FAILURE(start_all());
  const Said sent = send("b", {"--seed", "1", "--orders", "20000"});
  EXPECT_EQ(sent.status, 0) << sent.output;
  EXPECT_NE(sent.output.find("  20000 orders, "), std::string::npos) << sent.output;
  EXPECT_TRUE(digest("c").starts_with("digest " + digest_alone(1, 20'000))) << digest("c");
  expect_equal_digests();
}

// A client at each; one member is killed while they send, and comes back while they send.
TEST_P(Engines, ComeBackWithTheBookWhileOrdersFlow) {
  write_config("", kEngine);
  ASSERT_NO_FATAL_FAILURE(start_all());
  const auto begin = [&](const char* self, const char* offset) {
    return send_words(self, {"--seed", "2", "--orders", "60000", "--id-offset", offset,  //
                             "--window", "5"});
  };
  std::list<bench::Program> clients;
  clients.emplace_back(begin("b", "1000000"));
  ASSERT_TRUE(wait_for_orders("b"));
  clients.emplace_back(begin("a", "0"));
  clients.emplace_back(begin("c", "2000000"));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  kill_and_wait("b");
  node("c").wait_for(": a c;");
  const std::string of_b = start_again("b").wait_for(": a c b;");
  const std::string of_a = node("a").wait_for(": a c b;");
  EXPECT_EQ(of_b.substr(of_b.find("digest")), of_a.substr(of_a.find("digest")));
  clients.emplace_back(begin("b", "3000000"));
  for (bench::Program& client : clients) client.finish();
  // The victim's client is told how far it had come, unless it was done.
  const bench::Program& of_victim = clients.front();
  if (of_victim.status != 0) {
    EXPECT_NE(of_victim.output.find("may or may not"), std::string::npos) << of_victim.output;
    clients.pop_front();
  }
  for (const bench::Program& client : clients) {
    EXPECT_EQ(client.status, 0) << client.output;
    EXPECT_NE(client.output.find("  60000 orders, "), std::string::npos) << client.output;
  }
  expect_equal_digests();
  for (const char* self : {"a", "b", "c"}) node(self).signal(SIGTERM);
  for (const char* self : {"a", "b", "c"}) EXPECT_EQ(node(self).end(), 0) << node(self).lines();
}

// Trying again would be of no use: nobody changes what the others replicate.
TEST_P(Engines, EndWhenTheOthersReplicateSomethingElse) {
  write_config("", kEngine);
  ASSERT_NO_FATAL_FAILURE(start_all());
  EXPECT_EQ(send("a", {"--seed", "1", "--orders", "100"}).status, 0);
  for (const char* other :
       {"application = \"matching_engine\"\nbook_orders = 20_000\n", "application = \"kv\"\n"}) {
    kill_and_wait("b");
    node("a").wait_for(": a c;");
    write_config("", other);
    RunningNode& refuser = start_again("b");
    EXPECT_EQ(refuser.end(), 1) << refuser.lines();
    EXPECT_NE(refuser.lines().find("application is"), std::string::npos) << refuser.lines();
    EXPECT_NE(refuser.lines().find("node: matching_engine of 10000 orders"), std::string::npos)
        << refuser.lines();
    EXPECT_EQ(refuser.lines().find("trying again"), std::string::npos) << refuser.lines();
    write_config("", kEngine);
    start_again("b").wait_for(": a c b;");
  }
  EXPECT_EQ(send("c", {"--seed", "2", "--orders", "100", "--id-offset", "1000"}).status, 0);
  expect_equal_digests();
}

// None of them has a state that another could refuse: they would apply the same to different
// effect.
TEST_P(Engines, AreNotFoundedWithOthers) {
  write_config("", kEngine);
  start("a").wait_for("joining");
  write_config("", "application = \"matching_engine\"\nbook_orders = 20_000\n");
  RunningNode& other = start("b");
  EXPECT_EQ(other.end(), 1) << other.lines();
  EXPECT_NE(other.lines().find("application is"), std::string::npos) << other.lines();
}

TEST_P(Engines, RefuseWhatIsNoOrder) {
  write_config("", kEngine);
  ASSERT_NO_FATAL_FAILURE(start_all());
  const Said large = send("a", {"--seed", "1", "--orders", "100", "--window", "26"});
  EXPECT_EQ(large.status, 1);
  EXPECT_NE(large.output.find("orders 1 to 26 of the input: the request has 1052 bytes, more than"),
            std::string::npos)
      << large.output;
  const Said other = kv("put", "a", {"key", "value"});
  EXPECT_EQ(other.status, 1);
  EXPECT_NE(other.output.find("not a packet of the matching engine"), std::string::npos)
      << other.output;
  std::ofstream(path("day.csv")) << "34200.0,1,7,100,10000,1\n34200.1,1,8,100,x,1\n";
  const Said wrong = send("a", {"--input", path("day.csv"), "--window", "1"});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_NE(wrong.output.find("  1 orders, "), std::string::npos) << wrong.output;
  EXPECT_NE(wrong.output.find("day.csv:2: "), std::string::npos) << wrong.output;
  EXPECT_NE(digest("b").find("1 orders rest\n  1 orders, "), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Media, Engines, testing::Values("shm", "tcp", "udp", "auto"),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace
}  // namespace lockstep::test
