#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "tests/doctor/fixture_tree.hpp"

namespace lockstep::doctor {
namespace {

struct Outcome {
  int status = -1;
  std::string output;  ///< stdout alone
};

/// Runs `lockstep doctor` with these words; what it says on stderr is the test's own.
Outcome doctor(const std::string& words) {
  Outcome outcome;
  std::FILE* pipe = ::popen((std::string(LOCKSTEP_PROGRAM) + " doctor " + words).c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4'096> buffer;
  for (std::size_t got; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    outcome.output.append(buffer.data(), got);
  }
  const int raw = ::pclose(pipe);
  outcome.status = WIFEXITED(raw) ? WEXITSTATUS(raw) : -1;
  return outcome;
}

TEST(DoctorCommand, ExaminesThisMachine) {
  const Outcome outcome = doctor("");
  EXPECT_EQ(outcome.status, 0);
  for (const char* id :
       {"huge_pages", "cpu_governor", "transport_shm", "io_uring", "dpdk_plugin"}) {
    EXPECT_TRUE(outcome.output.contains(id)) << id;
  }
}

TEST(DoctorCommand, JsonHasFiveFieldsEach) {
  const Outcome outcome = doctor("--json");
  EXPECT_EQ(outcome.status, 0);
  const auto list = nlohmann::json::parse(outcome.output);
  ASSERT_TRUE(list.is_array());
  EXPECT_EQ(list.size(), 32U);
  std::set<std::string> ids;
  for (const auto& finding : list) {
    EXPECT_EQ(finding.size(), 5U);
    for (const char* field : {"id", "severity", "found", "wanted", "mend"}) {
      ASSERT_TRUE(finding.contains(field) && finding[field].is_string()) << finding;
    }
    EXPECT_NE(finding["found"], "") << finding;
    EXPECT_EQ(finding["mend"] == "", finding["severity"] == "ok") << finding;
    const std::set<std::string> words = {"ok", "note", "warning", "error"};
    EXPECT_TRUE(words.contains(finding["severity"])) << finding;
    ids.insert(finding["id"]);
  }
  EXPECT_EQ(ids.size(), list.size()) << "two findings have one id";
}

TEST(DoctorCommand, SharedMemoryAndSocketsRunHere) {
  for (const char* transport : {"shm", "tcp", "udp"}) {
    EXPECT_EQ(doctor(std::string("--transport ") + transport).status, 0) << transport;
  }
}

TEST(DoctorCommand, VerbsFailsWithoutADeviceAndSaysHowToMakeOne) {
  FixtureTree tree;
  tree.write("/proc/modules", "");
  const Outcome outcome = doctor("--transport verbs --json --root " + tree.root());
  EXPECT_EQ(outcome.status, 1);
  const auto first = nlohmann::json::parse(outcome.output).front();
  EXPECT_EQ(first["id"], "transport_verbs");
  EXPECT_EQ(first["severity"], "error");
  EXPECT_EQ(first["mend"], "modprobe rdma_rxe && rdma link add rxe0 type rxe netdev eth0");
}

TEST(DoctorCommand, VerbsOnThisMachineIsItsTrialsVerdict) {
  const Outcome outcome = doctor("--transport verbs --json");
  const auto list = nlohmann::json::parse(outcome.output);
  const bool runs = list.end() != std::find_if(list.begin(), list.end(), [](const auto& finding) {
                      return finding["id"] == "transport_verbs" && finding["severity"] == "ok";
                    });
  EXPECT_EQ(outcome.status, runs ? 0 : 1);
}

TEST(DoctorCommand, RefusesWhatItDoesNotUnderstand) {
  for (const char* words : {"--cores 3-1", "--cores x", "--transport infiniband", "--reactors 0",
                            "--root /no/such/folder"}) {
    EXPECT_EQ(doctor(words).status, 2) << words;
  }
}

}  // namespace
}  // namespace lockstep::doctor
