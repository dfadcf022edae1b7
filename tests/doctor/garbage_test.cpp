#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/doctor/machines.hpp"
#include "tools/doctor/report.hpp"

namespace lockstep::doctor {
namespace {

/// Every file of the fixture, as paths below its root.
std::vector<std::string> files_in(const FixtureTree& tree) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(tree.root())) {
    if (entry.is_regular_file()) files.push_back(entry.path().string().substr(tree.root().size()));
  }
  return files;
}

/// Each finding is complete, and the report is JSON, whatever the tree holds.
void expect_sane(const FixtureTree& tree) {
  StagedProbes probes;
  const auto findings = examine(tree.tree(), probes, {});
  EXPECT_GT(findings.size(), 30U);
  for (const Finding& finding : findings) {
    EXPECT_EQ(finding.mend.empty(), finding.severity == Severity::ok) << finding.id;
    EXPECT_LT(finding.found.size(), 2'000U) << finding.id;
  }
  EXPECT_EQ(nlohmann::json::parse(to_json(findings)).size(), findings.size());
}

TEST(Garbage, AnEmptyTreeIsToldOf) {
  FixtureTree tree;
  expect_sane(tree);
  EXPECT_TRUE(find(tree, "clock_source").found.starts_with("unknown; /sys/devices/system"));
  EXPECT_TRUE(find(tree, "allowed_cpus").mend.starts_with("cat /proc/self/status"));
}

TEST(Garbage, EachFileInTurnHoldsWhatNoKernelWrites) {
  const std::string contents[] = {
      "",          "\n\n\n",       "-1",        "99999999999999999999999",
      "0-8191",    "9-1",          "[always",   "0::/../../etc\n0::/../..\n",
      "\xff\xfe",  "max max max",  "1 0",       std::string(100, '\0'),
      ":::::\n::", "flags\t:",     "1,2,,3,",   "Max locked memory",
      "CapEff:",   "Cpus_allowed", "4: ACTIVE", "0x"};
  FixtureTree original;
  make_tuned_server(original);
  for (const std::string& file : files_in(original)) {
    const std::string kept = original.tree().text(file).value_or("");
    for (const std::string& text : contents) {
      original.write(file, text);
      SCOPED_TRACE(file);
      StagedProbes probes;
      for (const Finding& finding : examine(original.tree(), probes, {})) {
        EXPECT_EQ(finding.mend.empty(), finding.severity == Severity::ok) << finding.id;
      }
    }
    original.write(file, kept);
  }
}

TEST(Garbage, AllFilesAreRandomBytesOrHuge) {
  std::minstd_rand random(7);
  for (int round = 0; round < 20; ++round) {
    FixtureTree tree;
    make_container(tree);
    for (const std::string& file : files_in(tree)) {
      std::string bytes(random() % 200, '\0');
      for (char& byte : bytes) byte = static_cast<char>(random());
      tree.write(file, bytes);
    }
    expect_sane(tree);
  }
  FixtureTree huge;
  make_tuned_server(huge);
  huge.write("/proc/self/cgroup", "0::" + std::string(1 << 20, '/') + "x\n");
  expect_sane(huge);
  huge.write("/proc/cpuinfo", std::string(Tree::kMostBytes + 1, 'f'));
  expect_sane(huge);
  EXPECT_TRUE(find(huge, "invariant_tsc").found.contains("File too large"));
}

TEST(Garbage, FoldersPipesAndLoopsStandWhereFilesShould) {
  FixtureTree tree;
  make_tuned_server(tree);
  tree.remove("/proc/cmdline");
  tree.write("/proc/cmdline/inner", "x");
  tree.remove("/proc/cpuinfo");
  ASSERT_EQ(::mkfifo((tree.root() + "/proc/cpuinfo").c_str(), 0600), 0);
  tree.remove("/sys/devices/system/cpu/isolated");
  tree.link("/sys/devices/system/cpu/isolated", "isolated");
  tree.write("/sys/class/infiniband/$(reboot) '/ports/1/state", "1: DOWN");
  expect_sane(tree);
  EXPECT_TRUE(find(tree, "mitigations").found.contains("Is a directory"));
  EXPECT_TRUE(find(tree, "invariant_tsc").found.contains("Invalid argument"));
  EXPECT_TRUE(find(tree, "isolated_cpus").mend.starts_with("ls -l "));
  EXPECT_FALSE(find(tree, "rdma_devices").found.contains("reboot"));
}

TEST(Garbage, WhatThisUserMayNotReadIsNoted) {
  if (::geteuid() == 0) {
    // Root reads everything: the kernel's own refusal is needed.
    FixtureTree tree;
    make_tuned_server(tree);
    tree.remove("/proc/cmdline");
    tree.link("/proc/cmdline", "/proc/self/mem");
    EXPECT_EQ(find(tree, "mitigations").severity, Severity::note);
    EXPECT_EQ(find(tree, "mitigations").mend, "ls -l /proc/cmdline");
    return;
  }
  FixtureTree tree;
  make_tuned_server(tree);
  ASSERT_EQ(::chmod((tree.root() + "/proc/cmdline").c_str(), 0), 0);
  EXPECT_TRUE(find(tree, "mitigations").found.contains("Permission denied"));
}

}  // namespace
}  // namespace lockstep::doctor
