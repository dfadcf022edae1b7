#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/doctor/machines.hpp"
#include "tools/doctor/dpdk_plugin.hpp"
#include "tools/doctor/system_probes.hpp"
#include "tools/doctor/transport_checks.hpp"

namespace lockstep::doctor {
namespace {

Trial broken() { return {.works = false, .found = "broken", .mend = "mend it"}; }

TEST(Transports, EachFailsWhereItsTrialFailsAndIsRequired) {
  FixtureTree tree;
  make_tuned_server(tree);
  for (const std::string_view name : kTransports) {
    StagedProbes probes;
    const std::string transport(name);
    const auto good = examine(tree.tree(), probes, {}, transport);
    EXPECT_EQ(std::ranges::count(good, Severity::error, &Finding::severity), 0) << name;
    probes.memory = probes.streams = probes.packets = probes.device = probes.plugin = broken();
    const auto bad = examine(tree.tree(), probes, {}, transport);
    EXPECT_EQ(bad.front().id, "transport_" + transport);
    EXPECT_EQ(bad.front().severity, Severity::error);
    EXPECT_EQ(bad.front().mend, "mend it");
    EXPECT_EQ(find(tree, probes, bad.front().id).severity, Severity::note) << "not required";
  }
}

TEST(Transports, OnlyWhatBearsOnTheTransportIsShown) {
  FixtureTree tree;
  make_tuned_server(tree);
  StagedProbes probes;
  const auto all = examine(tree.tree(), probes, {});
  for (const std::string_view name : kTransports) {
    const auto findings = examine(tree.tree(), probes, {}, std::string(name));
    EXPECT_EQ(findings.size(), related_to(name).size() + 1) << "a related id is no check's";
    EXPECT_LT(findings.size(), all.size());
  }
}

TEST(Transports, WhyVerbsFailsIsReadInTheTree) {
  FixtureTree tree;
  make_laptop(tree);
  StagedProbes probes;
  probes.device = broken();
  const Finding finding = examine(tree.tree(), probes, {}, "verbs").front();
  EXPECT_EQ(finding.severity, Severity::error);
  EXPECT_TRUE(finding.mend.contains("rdma link add rxe0")) << finding.mend;
}

TEST(Transports, AnotherMachinesFilesCannotBeTried) {
  FixtureTree tree;
  make_tuned_server(tree);
  NoProbes probes;
  for (const std::string_view name : kTransports) {
    EXPECT_EQ(examine(tree.tree(), probes, {}, std::string(name)).front().severity,
              Severity::error);
  }
}

TEST(IoUring, IsANoteWhereItIsRefused) {
  FixtureTree tree;
  make_tuned_server(tree);
  StagedProbes probes;
  probes.ring = broken();
  EXPECT_EQ(find(tree, probes, "io_uring").severity, Severity::note);
  EXPECT_EQ(find(tree, probes, "io_uring").mend, "mend it");
}

TEST(DpdkPlugin, FollowsTheTrial) {
  FixtureTree tree;
  make_tuned_server(tree);
  StagedProbes probes;
  EXPECT_EQ(find(tree, probes, "dpdk_plugin").severity, Severity::ok);
  probes.plugin = broken();
  EXPECT_EQ(find(tree, probes, "dpdk_plugin").severity, Severity::note);
}

TEST(DpdkPlugin, IsLoadedFromTheFirstPathThatHasIt) {
  FixtureTree tree;
  Dl_info program{};
  ASSERT_NE(::dladdr(reinterpret_cast<void*>(&::getenv), &program), 0);
  const std::string absent = tree.root() + "/none.so";
  const std::string present = program.dli_fname;
  const std::string paths[] = {absent, present};
  EXPECT_TRUE(try_dpdk_plugin(paths).works) << present;
  EXPECT_FALSE(try_dpdk_plugin(std::span(paths, 1)).works);
  tree.write("/none.so", "no library");
  const Trial damaged = try_dpdk_plugin(std::span(paths, 1));
  EXPECT_FALSE(damaged.works);
  EXPECT_TRUE(damaged.found.contains("none.so")) << damaged.found;
  EXPECT_EQ(damaged.mend.find("apt-get install libdpdk-dev"), 0U);
  EXPECT_EQ(dpdk_plugin_paths().back(), "liblockstep_dpdk.so");
}

TEST(Probes, WhatEveryMachineHasWorksHere) {
  SystemProbes probes;
  for (const Trial& trial : {probes.shm(), probes.tcp(), probes.udp()}) {
    EXPECT_TRUE(trial.works) << trial.found;
    EXPECT_EQ(trial.mend, "");
  }
  for (const Trial& trial : {probes.io_uring(), probes.verbs(), probes.dpdk_plugin()}) {
    EXPECT_NE(trial.found, "");
    EXPECT_EQ(trial.mend.empty(), trial.works) << trial.found;
  }
}

}  // namespace
}  // namespace lockstep::doctor
