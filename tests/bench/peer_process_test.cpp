#include "bench/peer_process.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "bench/scratch_folder.hpp"

namespace lockstep::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr const char* kGreeting = "echo '{\"name\": \"fake\", \"version\": \"7\"}'\n";

class Peers : public testing::Test {
 protected:
  Peers() : folder_(*ScratchFolder::create()) {}

  /// Starts a shell script as a peer.
  Expected<PeerProcess> start(const std::string& script,
                              std::uint64_t timeout_ns = 20 * kSecondNs) {
    const std::string file = folder_.path() + "/peer";
    std::ofstream(file) << "#!/bin/sh\n" << script;
    fs::permissions(file, fs::perms::owner_all);
    return PeerProcess::start({file, folder_.path()}, folder_.path() + "/complaints", timeout_ns);
  }

  /// What the script wrote with `echo $$ > pid`.
  [[nodiscard]] pid_t pid_of(const char* name) const {
    pid_t pid = 0;
    std::ifstream(folder_.path() + "/" + name) >> pid;
    return pid;
  }

  ScratchFolder folder_;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(Peers, AnswersInItsOrder) {
  auto peer = start(std::string(kGreeting) +
                    "read -r word count\necho '{\"latency_ns\": [5, 7]}'\n"
                    "read -r word\necho '{\"blackout_ns\": 9}'\nread -r word\n");
  ASSERT_TRUE(peer.has_value()) << peer.error().message;
  EXPECT_EQ(peer->name(), "fake");
  EXPECT_EQ(peer->version(), "7");
  const auto durations = peer->measure(2, 20 * kSecondNs);
  ASSERT_TRUE(durations.has_value()) << durations.error().message;
  EXPECT_EQ(*durations, (std::vector<std::uint64_t>{5, 7}));
  EXPECT_EQ(peer->fail_over(20 * kSecondNs).value_or(0), 9U);
}

TEST_F(Peers, AMissingProgramIsNamed) {
  const auto peer = PeerProcess::start({folder_.path() + "/nothing"}, "/dev/null", kSecondNs);
  ASSERT_FALSE(peer.has_value());
  EXPECT_EQ(peer.error().code, ErrorCode::not_supported);
  EXPECT_TRUE(contains(peer.error().message, "/nothing")) << peer.error().message;
}

TEST_F(Peers, WhatItLacksIsPassedOn) {
  const auto peer = start("echo '{\"error\": \"no daemon here\"}'\n");
  ASSERT_FALSE(peer.has_value());
  EXPECT_EQ(peer.error().message, "no daemon here");
}

TEST_F(Peers, OneThatDiesIsReportedWithItsLastWords) {
  const auto at_once = start("echo oops >&2\nexit 3\n");
  ASSERT_FALSE(at_once.has_value());
  EXPECT_TRUE(contains(at_once.error().message, "status 3")) << at_once.error().message;
  EXPECT_TRUE(contains(at_once.error().message, "oops")) << at_once.error().message;

  auto later = start(std::string(kGreeting) + "read -r word\nkill -9 $$\n");
  ASSERT_TRUE(later.has_value()) << later.error().message;
  const auto durations = later->measure(2, 20 * kSecondNs);
  ASSERT_FALSE(durations.has_value());
  EXPECT_TRUE(contains(durations.error().message, "status 137")) << durations.error().message;
  EXPECT_FALSE(later->measure(2, 20 * kSecondNs).has_value());
}

TEST_F(Peers, OneThatHangsIsKilledAtItsDeadline) {
  const auto before = std::chrono::steady_clock::now();
  auto peer = start(std::string(kGreeting) + "echo $$ > $1/pid\nread -r word\nexec sleep 1000\n");
  ASSERT_TRUE(peer.has_value()) << peer.error().message;
  const auto durations = peer->measure(2, kSecondNs);
  ASSERT_FALSE(durations.has_value());
  EXPECT_EQ(durations.error().code, ErrorCode::timed_out);
  EXPECT_TRUE(contains(durations.error().message, "1 s")) << durations.error().message;
  EXPECT_NE(kill(pid_of("pid"), 0), 0) << "it is still there";
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(60));
}

TEST_F(Peers, OneThatNeverGreetsIsKilledAtItsDeadline) {
  const auto peer = start("echo $$ > $1/pid\nexec sleep 1000\n", kSecondNs);
  ASSERT_FALSE(peer.has_value());
  EXPECT_EQ(peer.error().code, ErrorCode::timed_out);
  EXPECT_NE(kill(pid_of("pid"), 0), 0) << "it is still there";
}

TEST_F(Peers, NonsenseIsNoAnswer) {
  for (const char* answer : {"gibberish", "[]", "{}", "{\"latency_ns\": [1]}",
                             "{\"latency_ns\": [1, -2]}", "{\"latency_ns\": \"2\"}"}) {
    auto peer =
        start(std::string(kGreeting) + "read -r word\necho '" + answer + "'\nread -r word\n");
    ASSERT_TRUE(peer.has_value()) << peer.error().message;
    const auto durations = peer->measure(2, 20 * kSecondNs);
    ASSERT_FALSE(durations.has_value()) << answer;
    EXPECT_EQ(durations.error().code, ErrorCode::input) << answer;
  }
}

TEST_F(Peers, EndOfInputEndsIt) {
  {
    const auto peer = start(std::string(kGreeting) + "echo $$ > $1/pid\nread -r word\n");
    ASSERT_TRUE(peer.has_value()) << peer.error().message;
    while (pid_of("pid") == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_NE(kill(pid_of("pid"), 0), 0) << "it is still there";
}

TEST(ScratchFolder, TakesAllInItAlong) {
  std::string path;
  {
    const auto folder = ScratchFolder::create();
    ASSERT_TRUE(folder.has_value()) << folder.error().message;
    path = folder->path();
    fs::create_directories(path + "/a/b");
    std::ofstream(path + "/a/b/c") << "text";
  }
  EXPECT_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace lockstep::bench
