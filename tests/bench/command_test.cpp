#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "bench/report.hpp"
#include "bench/socket_mesh.hpp"
#include "runtime/counters.hpp"
#include "tests/bench/program.hpp"
#include "tests/processes/own_network.hpp"

namespace lockstep::bench {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

/// Runs to the end; the second is what it wrote.
std::pair<int, std::string> run(const Words& arguments) {
  Program program(arguments);
  program.finish();
  return {program.status, program.output};
}

class Command : public testing::Test {
 protected:
  Command() {
    std::string name = testing::TempDir() + "lockstep-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~Command() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string path(const char* name) const { return folder_ / name; }

  static std::string content(const std::string& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  }

  /// Runs a benchmark with --json and reads the one result back.
  Result measure(Words arguments, const char* seconds = "0.2") {
    const std::string json = path("out.json");
    arguments.insert(arguments.begin(), "bench");
    arguments.insert(arguments.end(), {"--seconds", seconds, "--json", json});
    const auto [status, output] = run(arguments);
    EXPECT_EQ(status, 0) << output;
    const auto report = from_json(content(json));
    EXPECT_TRUE(report.has_value()) << report.error().message;
    if (!report || report->results.size() != 1) return {};
    return report->results[0];
  }

  fs::path folder_;
};

TEST_F(Command, SaysItsVersion) {
  const auto [status, output] = run({"--version"});
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(output.starts_with("lockstep 0.")) << output;
}

TEST_F(Command, MisuseIsRefusedAndNamesTheOption) {
  const std::vector<std::pair<Words, std::string>> cases = {
      {{}, "subcommand"},
      {{"bench"}, "subcommand"},
      {{"bench", "latency", "--members", "1"}, "--members"},
      {{"bench", "latency", "--members", "many"}, "--members"},
      {{"bench", "latency", "--senders", "3"}, "--senders"},
      {{"bench", "latency", "--idle", "nap"}, "--idle"},
      {{"bench", "latency", "--transport", "pigeon"}, "--transport"},
      {{"bench", "latency", "--cores", "0"}, "--cores"},
      {{"bench", "latency", "--ring-bytes", "1000"}, "ring_bytes"},
      {{"bench", "latency", "--as", "actors"}, "--as"},
      {{"bench", "throughput", "--rate", "5"}, "--rate"},
      {{"bench", "failover", "--members", "2"}, "--members"},
      {{"bench", "failover", "--runs", "0"}, "--runs"},
      {{"bench", "failover", "--as", "threads"}, "--as"},
      {{"bench", "throughput", "--seconds", "-1"}, "--seconds"},
      {{"bench", "latency", "--loss-percent", "1"}, "--transport"},
      {{"bench", "latency", "--apart", "--transport", "shm"}, "--transport"},
      {{"bench", "latency", "--transport", "udp", "--loss-percent", "60"}, "--loss-percent"},
      {{"bench", "failover", "--members", "3", "--transport", "dpdk"}, "--transport dpdk"},
      {{"bench", "latency", "--transport", "dpdk", "--as", "threads"}, "--as threads"},
      {{"bench", "suite", "--members", "2,1"}, "--members"},
      {{"bench", "suite", "--transports", "shm,pigeon"}, "--transports"},
  };
  for (const auto& [arguments, named] : cases) {
    const auto [status, output] = run(arguments);
    EXPECT_EQ(status, 2) << output;
    EXPECT_NE(output.find(named), std::string::npos) << named << " in " << output;
  }
}

TEST_F(Command, APayloadThatNoRingTakesIsRefused) {
  const auto [status, output] =
      run({"bench", "latency", "--payload-bytes", "4096", "--ring-bytes", "4096"});
  EXPECT_EQ(status, 2);
  EXPECT_NE(output.find("--ring-bytes"), std::string::npos) << output;
}

TEST_F(Command, AFullDiskIsReported) {
  const auto [status, output] = run({"bench", "floor", "--seconds", "0.05", "--json", "/dev/full"});
  EXPECT_EQ(status, 1);
  EXPECT_NE(output.find("No space left"), std::string::npos) << output;
}

TEST_F(Command, AReportIsAPageWithItsCommand) {
  const std::string page = path("page.html");
  const auto [status, output] = run({"bench", "latency", "--seconds", "0.1", "--report", page});
  EXPECT_EQ(status, 0) << output;
  const std::string text = content(page);
  EXPECT_TRUE(text.starts_with("<!DOCTYPE html>"));
  EXPECT_NE(text.find("lockstep bench latency --seconds 0.1"), std::string::npos);
  EXPECT_NE(text.find("<polyline"), std::string::npos);
}

TEST_F(Command, ASuiteMeasuresEachCellAndNamesThoseThatCannotRun) {
  const std::string json = path("out.json");
  const std::string page = path("page.html");
  const auto [status, output] =
      run({"bench", "suite", "--transports", "shm,tcp,verbs", "--members", "2", "--payload-bytes",
           "64", "--seconds", "0.05", "--json", json, "--report", page});
  EXPECT_EQ(status, 0) << output;
  const auto report = from_json(content(json));
  ASSERT_TRUE(report.has_value()) << report.error().message;
  ASSERT_EQ(report->results.size(), 6U);
  for (const Result& result : report->results) {
    if (result.transport == "verbs" && !result.not_run.empty()) continue;
    EXPECT_EQ(result.not_run, "");
    EXPECT_TRUE(result.ratio_p50 || result.ratio_throughput) << output;
  }
  if (!fs::exists("/sys/class/infiniband")) {
    EXPECT_NE(output.find("not run: no RDMA device"), std::string::npos) << output;
    EXPECT_NE(content(page).find("not run: no RDMA device"), std::string::npos);
  }
}

TEST_F(Command, AMissingPeerIsNamed) {
  const std::string json = path("out.json");
  const std::string page = path("page.html");
  const auto [status, output] =
      run({"bench", "latency", "--members", "3", "--seconds", "0.05", "--compare", "--peers-folder",
           folder_, "--json", json, "--report", page});
  EXPECT_EQ(status, 0) << output;
  const auto report = from_json(content(json));
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_FALSE(report->comparisons.empty());
  for (const Comparison& comparison : report->comparisons) {
    EXPECT_NE(comparison.not_run, "") << comparison.peer;
    EXPECT_NE(content(page).find(comparison.peer), std::string::npos);
  }
  const auto [misused, message] = run({"bench", "latency", "--compare", "pigeon"});
  EXPECT_EQ(misused, 2);
  EXPECT_NE(message.find("--compare pigeon"), std::string::npos) << message;
}

/// A peer that answers each question with what the shell makes of `answer`.
void write_peer(const fs::path& file, const std::string& answer) {
  std::ofstream(file) << "#!/bin/sh\necho '{\"name\": \"fake\", \"version\": \"7\"}'\n"
                      << "while read -r word count; do\n"
                      << answer << "\ndone\n";
  fs::permissions(file, fs::perms::owner_all);
}

TEST_F(Command, APeerIsMeasuredInTurnsWithTheGroup) {
  write_peer(path("lockstep_peer_zeromq"),
             "echo '{\"latency_ns\": [1000000000,1000000000,1000000000,1000000000,1000000000,"
             "1000000000,1000000000,1000000000,1000000000,1000000000]}'");
  const std::string json = path("out.json");
  const auto [status, output] =
      run({"bench", "latency", "--members", "3", "--seconds", "0.05", "--compare", "zeromq",
           "--peers-folder", folder_, "--turns", "2", "--turn-samples", "10", "--json", json});
  EXPECT_EQ(status, 0) << output;
  const auto report = from_json(content(json));
  ASSERT_TRUE(report.has_value()) << report.error().message;
  ASSERT_FALSE(report->comparisons.empty());
  for (const Comparison& comparison : report->comparisons) {
    EXPECT_EQ(comparison.not_run, "");
    EXPECT_EQ(comparison.version, "7");
    EXPECT_EQ(comparison.turns, 2U);
    ASSERT_TRUE(comparison.peer_ns && comparison.group_ns && comparison.ratio_p50);
    EXPECT_EQ(comparison.peer_ns->count, 20U);
    EXPECT_EQ(comparison.group_ns->count, 20U);
    EXPECT_LT(*comparison.ratio_p50, 1);
  }
}

TEST_F(Command, FloorMeasuresBothFloors) {
  const Result result = measure({"floor", "--payload-bytes", "128"});
  ASSERT_TRUE(result.floor_ns.has_value());
  EXPECT_GT(result.floor_ns->min, 0U);
  ASSERT_TRUE(result.floor_messages_per_s.has_value());
  EXPECT_GT(*result.floor_messages_per_s, 0);
  EXPECT_FALSE(result.latency_ns.has_value());
}

class Everywhere : public Command, public testing::WithParamInterface<const char*> {};

TEST_P(Everywhere, LatencyIsMeasuredOnEveryRankAndToTheLast) {
  const Result result = measure({"latency", "--members", "3", "--as", GetParam()});
  ASSERT_TRUE(result.latency_ns.has_value());
  EXPECT_GT(result.latency_ns->count, 0U);
  EXPECT_TRUE(result.latency_last_ns.has_value());
  ASSERT_EQ(result.ranks.size(), 3U);
  for (const RankResult& rank : result.ranks) EXPECT_TRUE(rank.latency_ns.has_value());
  ASSERT_TRUE(result.result_hash.has_value());
  EXPECT_EQ(result.result_hash->size(), 16U);
}

TEST_P(Everywhere, ThroughputCountsEachMessageOnce) {
  const Result result =
      measure({"throughput", "--members", "2", "--payload-bytes", "200", "--as", GetParam()});
  ASSERT_TRUE(result.messages_per_s.has_value());
  EXPECT_GT(*result.messages_per_s, 0);
  EXPECT_DOUBLE_EQ(*result.bytes_per_s, *result.messages_per_s * 200);
  EXPECT_TRUE(result.ratio_throughput.has_value());
  EXPECT_TRUE(result.result_hash.has_value());
}

INSTANTIATE_TEST_SUITE_P(As, Everywhere, testing::Values("processes", "threads"));

TEST_F(Command, MembersWithAKeyAuthenticateOneAnother) {
  const std::string key = path("key");
  std::ofstream(key) << std::string(64, 'a') << '\n';
  fs::permissions(key, fs::perms::owner_read);
  const Words words = {"throughput", "--members", "3", "--transport", "tcp", "--key-file", key};
  EXPECT_TRUE(measure(words).messages_per_s.has_value());
}

TEST_F(Command, AFileThatHoldsNoKeyIsRefused) {
  const std::string key = path("key");
  std::ofstream(key) << std::string(63, 'a') << '\n';
  fs::permissions(key, fs::perms::owner_read);
  const auto [status, output] =
      run({"bench", "latency", "--transport", "tcp", "--key-file", key, "--seconds", "0.2"});
  EXPECT_EQ(status, 1);
  EXPECT_NE(output.find("group.key_file = '" + key + "': "), std::string::npos) << output;
  EXPECT_NE(output.find("64 hex digits"), std::string::npos) << output;
}

TEST_F(Command, TheOpenLoopSendsAtTheRateAskedFor) {
  const Result result = measure({"latency", "--rate", "2000", "--senders", "1"});
  ASSERT_TRUE(result.messages_per_s.has_value());
  ASSERT_TRUE(result.latency_ns.has_value());
  // Subject time is counted, so a slow machine delays messages and does not lose any: those that
  // were due are in the histogram, sent or not.
  EXPECT_GT(result.latency_ns->count, 0U);
  // What was due while the machine stood still before the first measured block is sent in that one,
  // late by its latency. Of the 0.2 s more than half is in measured blocks.
  const double stall_s = static_cast<double>(result.latency_ns->max) / 1e9;
  EXPECT_LE(*result.messages_per_s, 2'100 + 2'000 * stall_s / 0.1);
}

TEST_F(Command, AClosedLoopEndsAfterTheSamplesAskedFor) {
  const Result result = measure({"latency", "--samples", "101", "--senders", "2"});
  ASSERT_TRUE(result.latency_ns.has_value());
  EXPECT_EQ(result.latency_ns->count, 102U);  // each sender its half, rounded up
}

TEST_F(Command, EncryptionIsMeasuredBesideTheSameInTheClear) {
  const std::string key = path("key");
  std::ofstream(key) << std::string(64, 'a') << '\n';
  fs::permissions(key, fs::perms::owner_read);
  const std::string json = path("out.json");
  const auto [status, output] =
      run({"bench", "latency", "--transport", "tcp", "--encryption", "always", "--key-file", key,
           "--seconds", "0.8", "--json", json});
  ASSERT_EQ(status, 0) << output;
  EXPECT_NE(output.find("price of encryption"), std::string::npos) << output;
  const auto report = from_json(content(json));
  ASSERT_TRUE(report.has_value()) << report.error().message;
  ASSERT_EQ(report->results.size(), 2U);
  EXPECT_FALSE(report->results[0].encrypted);
  EXPECT_TRUE(report->results[1].encrypted);
  EXPECT_GT(report->results[1].ratio_p50_encryption.value_or(0), 0);
}

TEST_F(Command, LossIsMeasuredBesideTheSameWithoutLoss) {
  const std::string json = path("out.json");
  const auto [status, output] = run({"bench", "latency", "--members", "2", "--transport", "udp",
                                     "--loss-percent", "10", "--seconds", "0.8", "--json", json});
  if (output.find("cannot make a network namespace") != std::string::npos) {
    GTEST_SKIP() << "platform limit: " << output;
  }
  ASSERT_EQ(status, 0) << output;
  const auto report = from_json(content(json));
  ASSERT_TRUE(report.has_value()) << report.error().message;
  ASSERT_EQ(report->results.size(), 2U);
  EXPECT_EQ(report->results[0].loss_percent, 0U);
  EXPECT_EQ(report->results[1].loss_percent, 10U);
  ASSERT_TRUE(report->results[1].ratio_p99_loss.has_value());
  // One packet in ten is lost and sent again a round trip later at the earliest.
  EXPECT_GT(report->results[1].latency_ns->p90, report->results[0].latency_ns->p50);
}

TEST_F(Command, DpdkIsMeasuredBesideBareFrames) {
  const std::string json = path("out.json");
  const auto [status, output] =
      run({"bench", "latency", "--transport", "dpdk", "--seconds", "0.3", "--json", json});
  if (output.find("plug-in cannot be loaded") != std::string::npos) {
    GTEST_SKIP() << "platform limit: " << output;
  }
  ASSERT_EQ(status, 0) << output;
  const auto report = from_json(content(json));
  ASSERT_TRUE(report.has_value()) << report.error().message;
  const Result& result = report->results.at(0);
  EXPECT_EQ(result.transport, "dpdk");
  ASSERT_TRUE(result.floor_ns.has_value());
  ASSERT_TRUE(result.latency_ns.has_value());
  // No message is there sooner than the best of bare frames.
  EXPECT_GT(result.latency_ns->p50, result.floor_ns->min);
  EXPECT_TRUE(result.ratio_p50.has_value());
}

// Whole payloads in a frame, and payloads in several frames.
TEST_F(Command, StreamsOverDpdkAreMeasuredBesideBareFrames) {
  for (const char* bytes : {"0", "64", "10240"}) {
    const std::string json = path("out.json");
    const auto [status, output] = run({"bench", "throughput", "--transport", "dpdk", "--seconds",
                                       "0.3", "--payload-bytes", bytes, "--json", json});
    if (output.find("plug-in cannot be loaded") != std::string::npos) {
      GTEST_SKIP() << "platform limit: " << output;
    }
    ASSERT_EQ(status, 0) << output;
    const auto report = from_json(content(json));
    ASSERT_TRUE(report.has_value()) << report.error().message;
    const Result& result = report->results.at(0);
    EXPECT_GT(result.floor_messages_per_s.value_or(0), 0.0);
    EXPECT_GT(result.ratio_throughput.value_or(0), 0.0);
  }
}

/// The kernel drops pieces of datagrams when many are on their way, and the floor repeats nothing.
TEST_F(Command, TheStreamOfDatagramsFitsAnInterfaceThatTakesLess) {
  if (!test::may_have_own_network()) GTEST_SKIP() << "platform limit: no network of its own";
  ASSERT_TRUE(test::enter_own_network(1'500));
  const auto mesh = SocketMesh::create(2, true);
  ASSERT_TRUE(mesh) << mesh.error().message;
  EXPECT_EQ(mesh->datagram_bytes(), 1'500U - 20 - 8);
  const auto result = measure({"throughput", "--members", "3", "--transport", "udp",
                               "--payload-bytes", "8192", "--idle", "backoff"},
                              "1");
  EXPECT_GT(result.floor_messages_per_s.value_or(0), 0.0);
}

TEST_F(Command, AMessageOfSeveralFramesHasAFloorToo) {
  const auto [status, output] = run(
      {"bench", "latency", "--transport", "dpdk", "--payload-bytes", "10240", "--seconds", "0.3"});
  if (output.find("plug-in cannot be loaded") != std::string::npos) {
    GTEST_SKIP() << "platform limit: " << output;
  }
  EXPECT_EQ(status, 0) << output;
}

TEST_F(Command, IdleMembersReportTheirShareOfACore) {
  const Result result = measure({"idle", "--members", "3"});
  EXPECT_EQ(result.idle, "backoff");
  ASSERT_EQ(result.ranks.size(), 3U);
  for (const RankResult& rank : result.ranks) {
    ASSERT_TRUE(rank.cpu_share.has_value());
    EXPECT_LT(*rank.cpu_share, 0.5);
  }
}

TEST_F(Command, FailoverTakesTheTimeOfEachKill) {
  const Result result = measure({"failover", "--members", "3", "--runs", "3"});
  ASSERT_TRUE(result.blackout_ns.has_value());
  ASSERT_TRUE(result.change_ns.has_value());
  ASSERT_TRUE(result.floor_ns.has_value());
  EXPECT_EQ(result.blackout_ns->count, 3U);
  EXPECT_GT(result.blackout_ns->min, 0U);
  EXPECT_GT(result.change_ns->min, 0U);
  EXPECT_EQ(result.false_evictions, 0U);
  EXPECT_EQ(result.runs, 3U);
}

/// The processes a program has started, youngest last.
std::vector<pid_t> children_of(pid_t parent) {
  std::ifstream file("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) +
                     "/children");
  std::vector<pid_t> children;
  for (pid_t child; file >> child;) children.push_back(child);
  return children;
}

TEST_F(Command, AMemberThatDiesEndsTheBenchmarkAndIsNamed) {
  for (const char* scenario : {"latency", "throughput", "idle"}) {
    Program program({"bench", scenario, "--members", "3", "--seconds", "60"});
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (children_of(program.pid()).size() < 3 && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    const std::vector<pid_t> members = children_of(program.pid());
    ASSERT_EQ(members.size(), 3U);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    kill(members[1], SIGKILL);
    program.finish();
    EXPECT_EQ(program.status, 1) << program.output;
    EXPECT_NE(program.output.find("rank 1"), std::string::npos) << program.output;
    EXPECT_NE(program.output.find("signal 9"), std::string::npos) << program.output;
    for (const pid_t member : members) {
      EXPECT_NE(kill(member, 0), 0) << "a member is left";
    }
  }
}

TEST_F(Command, CountersAreShownAndAMissingFileIsAnError) {
  auto counters = runtime::Counters::open(path("counters"));
  ASSERT_TRUE(counters.has_value()) << counters.error().message;
  (*counters)->make("reactor.turns").add(42);
  const auto [status, output] = run({"counters", path("counters")});
  EXPECT_EQ(status, 0) << output;
  EXPECT_NE(output.find("reactor.turns"), std::string::npos);
  EXPECT_NE(output.find("42"), std::string::npos);

  const auto [missing, message] = run({"counters", path("nothing")});
  EXPECT_EQ(missing, 1);
  EXPECT_NE(message.find(path("nothing")), std::string::npos) << message;
}

TEST_F(Command, WatchingCountersEndsWithTheirWriter) {
  auto counters = runtime::Counters::open(path("counters"));
  ASSERT_TRUE(counters.has_value());
  const runtime::Counter turns = (*counters)->make("reactor.turns");
  Program program({"counters", path("counters"), "--watch", "0.05"});
  for (int i = 0; i < 50; ++i) {
    turns.add(10);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  counters->reset();
  program.finish();
  EXPECT_NE(program.output.find("/s"), std::string::npos) << program.output;
}

}  // namespace
}  // namespace lockstep::bench
