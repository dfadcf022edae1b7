#include "tests/examples/program.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/counters.hpp"

namespace lockstep::examples {
namespace {

/// Runs the built programs as a user would.
class ProgramTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "program_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static std::vector<std::string> engine(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), MATCHING_ENGINE);
    return arguments;
  }
  std::string make(const char* name, const std::string& content) {
    const std::string path = folder_ / name;
    std::ofstream(path) << content;
    return path;
  }
  [[nodiscard]] nlohmann::json json(const char* name) const {
    std::ifstream file(folder_ / name);
    return nlohmann::json::parse(file, nullptr, false);
  }

  std::filesystem::path folder_;
};

/// Submissions, a match, and ids that were never submitted.
constexpr const char* kHour =
    "seconds,message_type,order_id,quantity,price,direction\n"
    "34200.1,1,1,10,1000,1\n"
    "34200.2,1,2,10,1010,-1\n"
    "34200.3,1,3,15,1010,1\n"
    "34200.4,3,77,1,1000,1\n"
    "34200.5,2,3,2,1010,1\n"
    "34200.6,4,1,10,1000,1\n";

TEST_F(ProgramTest, ThreeMembersEndWithTheDigestOfOneEngine) {
  for (const char* as : {"processes", "threads"}) {
    Program program(engine({"--as", as, "--orders", "20000", "--seed", "5", "--json",
                            (folder_ / "out.json").string()}));
    ASSERT_EQ(program.wait(), 0) << program.output();
    Program alone(engine({"--members", "1", "--orders", "20000", "--seed", "5", "--json",
                          (folder_ / "alone.json").string()}));
    ASSERT_EQ(alone.wait(), 0) << alone.output();
    const auto out = json("out.json");
    const std::string digest = json("alone.json")["alone"]["digest"];
    EXPECT_EQ(digest.size(), 16U);
    EXPECT_EQ(out["good"], true);
    ASSERT_EQ(out["ranks"].size(), 3U);
    for (const auto& rank : out["ranks"]) {
      EXPECT_EQ(rank["digest"], digest);
      EXPECT_EQ(rank["orders"], 20'000);
    }
    EXPECT_EQ(out["timing"]["latency_ns"]["count"], 20'000);
    EXPECT_NE(program.output().find(digest + "  equal"), std::string::npos) << program.output();
    EXPECT_EQ(program.output().find("DIFFERENT"), std::string::npos) << program.output();
  }
}

TEST_F(ProgramTest, ReplaysAFilePacedAndAsFastAsItGoes) {
  const std::string input = make("hour.csv", kHour);
  std::string digest;
  for (const std::vector<std::string>& pace : {std::vector<std::string>{}, {"--speed-up", "10"}}) {
    std::vector<std::string> arguments{"--input", input, "--json", (folder_ / "out.json").string()};
    arguments.insert(arguments.end(), pace.begin(), pace.end());
    Program program(engine(arguments));
    ASSERT_EQ(program.wait(), 0) << program.output();
    const auto rank = json("out.json")["ranks"][2];
    EXPECT_EQ(rank["orders"], 6);
    EXPECT_EQ(rank["fills"], 2);
    EXPECT_EQ(rank["unknown_ids"], 1);
    EXPECT_EQ(rank["resting_orders"], 1);
    const std::string own = rank["digest"];
    EXPECT_TRUE(digest.empty() || own == digest) << own << " after " << digest;
    digest = own;
  }
  // Half a second between the first and the last order, ten times as fast.
  EXPECT_GE(json("out.json")["timing"]["wall_ns"], 50'000'000);
}

/// Whether the member that writes this counters file has applied an order.
bool has_delivered(const std::string& counters_file) {
  const auto readings = runtime::Counters::read(counters_file);
  if (!readings) return false;
  return std::ranges::any_of(*readings, [](const runtime::Counters::Reading& reading) {
    return reading.name.ends_with("frames_delivered") && reading.value > 0;
  });
}

class KilledMember : public ProgramTest {
 protected:
  /// Runs three members on the generator, and kills one once all have applied something.
  Program& run_and_kill(std::size_t victim, std::vector<std::string> arguments) {
    const std::string counters = (folder_ / "counters").string();
    const std::string config =
        make("run.toml", "[reactor]\ncounters_file = \"" + counters + "\"\n");
    arguments.insert(arguments.end(), {"--config", config});
    program_.emplace(engine(arguments));
    bool delivered = false;
    for (int i = 0; i < 6'000 && !delivered; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      delivered = has_delivered(counters + ".0") && has_delivered(counters + ".1") &&
                  has_delivered(counters + ".2");
    }
    EXPECT_TRUE(delivered) << program_->output();
    const std::vector<pid_t> children = program_->children();
    EXPECT_EQ(children.size(), 3U);
    if (delivered && children.size() == 3) kill(children[victim], SIGKILL);
    EXPECT_EQ(program_->wait(), 1);
    for (const pid_t child : children) EXPECT_EQ(kill(child, 0), -1);
    EXPECT_NE(program_->output().find("FAILED: killed by signal 9"), std::string::npos)
        << program_->output();
    return *program_;
  }

  std::optional<Program> program_;
};

TEST_F(KilledMember, ThatPublishesEndsTheRunAndIsNamed) {
  // Much longer than the test takes.
  Program& program = run_and_kill(0, {"--orders", "100000", "--speed-up", "1"});
  const std::string output = program.output();
  EXPECT_NE(output.find("member 'engine-0' (rank 0) was lost: process died; the others went on "
                        "without the publisher"),
            std::string::npos)
      << output;
}

TEST_F(KilledMember, ThatDoesNotPublishIsMissedByNobody) {
  run_and_kill(1,
               {"--orders", "600", "--speed-up", "10", "--json", (folder_ / "out.json").string()});
  const auto out = json("out.json");
  EXPECT_EQ(out["good"], false);
  EXPECT_EQ(out["ranks"][1]["finished"], false);
  for (const std::size_t survivor : {std::size_t{0}, std::size_t{2}}) {
    EXPECT_EQ(out["ranks"][survivor]["finished"], true);
    EXPECT_EQ(out["ranks"][survivor]["orders"], 600);
    EXPECT_EQ(out["ranks"][survivor]["digest"], out["alone"]["digest"]);
  }
}

/// Its orders are over in a tenth of a second: the kill falls into them by their number.
TEST_F(ProgramTest, AMemberThatIsKilledAndStartedAgainEndsWithTheSameDigest) {
  constexpr std::uint64_t kOrders = 300'000;
  for (const char* transport : {"shm", "tcp"}) {
    for (const char* victim : {"1", "2"}) {
      Program program(engine({"--orders", std::to_string(kOrders), "--kill", victim, "--transport",
                              transport, "--json", (folder_ / "out.json").string()}));
      ASSERT_EQ(program.wait(), 0) << program.output();
      const auto out = json("out.json");
      EXPECT_EQ(out["good"], true);
      ASSERT_EQ(out["ranks"].size(), 3U);
      for (const auto& rank : out["ranks"]) {
        EXPECT_EQ(rank["digest"], out["alone"]["digest"]) << program.output();
        EXPECT_EQ(rank["orders"], kOrders);
      }
      const auto failover = out["failover"];
      EXPECT_EQ(std::to_string(failover["victim"].get<int>()), victim);
      EXPECT_GE(failover["orders_got"], kOrders / 2);
      EXPECT_LT(failover["orders_got"], kOrders) << "nothing was left for the new process to apply";
      EXPECT_GT(failover["blackout_ns"], 0);
      EXPECT_GT(failover["longest_gap_ns"], 0);
      EXPECT_LE(failover["change_ns"], failover["blackout_ns"]);
      EXPECT_GT(failover["back_ns"], failover["change_ns"]);
      EXPECT_NE(program.output().find(std::string("rank ") + victim + " killed mid-run"),
                std::string::npos)
          << program.output();
    }
  }
}

TEST_F(ProgramTest, OfTwoMembersTheOneThatPublishesGoesOn) {
  Program program(engine({"--members", "2", "--orders", "100000", "--kill", "1"}));
  EXPECT_EQ(program.wait(), 0) << program.output();
}

TEST_F(ProgramTest, RefusesAMalformedFileWithoutApplyingAnyOfIt) {
  const std::string input = make("hour.csv", std::string(kHour) + "34200.7,9,1,1,1,1\n");
  Program program(engine({"--input", input}));
  EXPECT_EQ(program.wait(), 1);
  EXPECT_EQ(program.output(), "matching_engine: " + input +
                                  ":8: message type \"9\": unknown message type: it is 1 to 7\n");
}

TEST_F(ProgramTest, AFullDiskUnderTheJsonIsAnError) {
  Program program(engine({"--members", "1", "--orders", "10", "--json", "/dev/full"}));
  EXPECT_EQ(program.wait(), 1);
  EXPECT_NE(program.output().find("matching_engine: /dev/full: cannot write: No space left"),
            std::string::npos)
      << program.output();
}

TEST_F(ProgramTest, ExplainsWrongSettings) {
  const std::string config = make("wrong.toml", "[group]\nring_size = 5\n");
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
      {{"--config", config}, "ring_size"},
      {{"--ring-bytes", "5000"}, "group.ring_bytes = 5000"},
      {{"--transport", "smoke"}, "group.transport"},
      {{"--transport", "tcp", "--key-file", "/nowhere/key"}, "group.key_file = '/nowhere/key'"},
      {{"--cores", "0,0"}, "--cores names 2 CPUs for 3 members"},
      {{"--kill", "0"}, "--kill 0 of 3 members; name a rank that is there, and not 0"},
      {{"--kill", "3"}, "--kill 3 of 3 members"},
      {{"--kill", "1", "--as", "threads"}, "--kill kills a process"},
      {{"--members", "65"}, "Value 65 not in range 1 to 64"},
      {{"--speed-up", "0"}, "--speed-up"},
      {{"--input", "/nowhere/at.all"}, "/nowhere/at.all: cannot open: No such file"},
      {{"--bogus"}, "--bogus"}};
  for (const auto& [arguments, words] : cases) {
    Program program(engine(arguments));
    EXPECT_GT(program.wait(), 0);
    EXPECT_NE(program.output().find(words), std::string::npos) << program.output();
  }
}

TEST_F(ProgramTest, HelloPrintsTheSameLinesEverywhere) {
  // The group's name is fixed, so names of members keep two such tests on one host apart.
  const std::string own = std::to_string(getpid());
  const std::vector<std::string> names{"a" + own, "b" + own, "c" + own};
  const std::string members = names[0] + "," + names[1] + "," + names[2];
  Program first({HELLO, names[0], members});
  Program second({HELLO, names[1], members});
  Program third({HELLO, names[2], members});
  EXPECT_EQ(first.wait(), 0) << first.output();
  EXPECT_EQ(second.wait(), 0) << second.output();
  EXPECT_EQ(third.wait(), 0) << third.output();
  const std::string lines = "1. hello from " + names[0] + "\n2. hello from " + names[1] +
                            "\n3. hello from " + names[2] + "\n";
  EXPECT_EQ(first.output(), lines);
  EXPECT_EQ(second.output(), lines);
  EXPECT_EQ(third.output(), lines);
}

}  // namespace
}  // namespace lockstep::examples
