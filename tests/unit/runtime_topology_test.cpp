#include <gtest/gtest.h>
#include <sched.h>

#include <set>
#include <thread>
#include <vector>

#include "runtime/memory.hpp"
#include "runtime/topology.hpp"

namespace lockstep::runtime {
namespace {

using Cpus = std::vector<std::uint32_t>;

TEST(CpuSet, IsASetOfNumbers) {
  CpuSet cpus;
  EXPECT_EQ(cpus.count(), 0U);
  EXPECT_EQ(cpus.text(), "");
  for (const std::uint32_t cpu : {0U, 1U, 2U, 63U, 64U, 70U, 1'023U}) cpus.add(cpu);
  cpus.add(70);
  EXPECT_EQ(cpus.count(), 7U);
  EXPECT_TRUE(cpus.contains(64));
  EXPECT_FALSE(cpus.contains(65));
  EXPECT_FALSE(cpus.contains(1'024));
  EXPECT_EQ(cpus.text(), "0-2,63-64,70,1023");
  EXPECT_EQ(CpuSet(cpus.words()), cpus);
}

TEST(CpuSet, UnitesWithAnother) {
  CpuSet a;
  a.add(1);
  a.add(100);
  CpuSet b;
  b.add(1);
  b.add(2);
  a |= b;
  EXPECT_EQ(a.count(), 3U);
  EXPECT_EQ(a.text(), "1-2,100");
}

/// Two nodes of two cores of two CPUs, numbered as Linux does: siblings half the machine apart.
std::vector<CpuPlace> two_nodes() {
  return {{0, 0, 0}, {1, 1, 0}, {2, 2, 1}, {3, 3, 1}, {4, 0, 0}, {5, 1, 0}, {6, 2, 1}, {7, 3, 1}};
}

TEST(PickCores, PrefersDistinctCoresOfOneNode) {
  EXPECT_EQ(pick_cores(two_nodes(), 1), (Cpus{0}));
  EXPECT_EQ(pick_cores(two_nodes(), 2), (Cpus{0, 1}));
}

TEST(PickCores, TakesAnotherNodeBeforeASibling) {
  EXPECT_EQ(pick_cores(two_nodes(), 4), (Cpus{0, 1, 2, 3}));
  EXPECT_EQ(pick_cores(two_nodes(), 6), (Cpus{0, 1, 2, 3, 4, 5}));
}

TEST(PickCores, TakesTheNodeThatHasEnough) {
  std::vector<CpuPlace> places = two_nodes();
  places.erase(places.begin());                               // CPU 0, but its sibling 4 stays,
  std::erase_if(places, [](auto p) { return p.core == 1; });  // and all of core 1
  EXPECT_EQ(pick_cores(places, 2), (Cpus{2, 3}));
}

TEST(PickCores, GivesAllThereAre) {
  EXPECT_EQ(pick_cores(two_nodes(), 100).size(), 8U);
  EXPECT_TRUE(pick_cores(std::vector<CpuPlace>(), 2).empty());
}

TEST(PickCores, PicksAllowedOnesHere) {
  const auto allowed = allowed_cpus();
  ASSERT_TRUE(allowed) << allowed.error().message;
  ASSERT_GE(allowed->count(), 1U);
  const auto cpus = pick_cores(allowed->count());
  ASSERT_TRUE(cpus) << cpus.error().message;
  EXPECT_EQ(std::set(cpus->begin(), cpus->end()).size(), allowed->count());
  for (const std::uint32_t cpu : *cpus) EXPECT_TRUE(allowed->contains(cpu));
}

TEST(PickCores, RefusesMoreThanAllowed) {
  const auto allowed = allowed_cpus();
  ASSERT_TRUE(allowed) << allowed.error().message;
  const auto cpus = pick_cores(allowed->count() + 1);
  ASSERT_FALSE(cpus);
  EXPECT_EQ(cpus.error().code, ErrorCode::oversubscribed);
  EXPECT_NE(cpus.error().message.find(allowed->text()), std::string::npos) << cpus.error().message;
}

/// On a thread of its own, so that the pin ends with it.
TEST(Pinning, HoldsTheThreadAndHidesNoCpus) {
  std::thread([] {
    const auto before = allowed_cpus();
    ASSERT_TRUE(before) << before.error().message;
    const auto cpus = pick_cores(1);
    ASSERT_TRUE(cpus) << cpus.error().message;
    const auto pinned = pin_this_thread(static_cast<std::int32_t>(cpus->front()));
    ASSERT_TRUE(pinned) << pinned.error().message;
    EXPECT_EQ(::sched_getcpu(), static_cast<int>(cpus->front()));
    cpu_set_t mask;
    ASSERT_EQ(::sched_getaffinity(0, sizeof mask, &mask), 0);
    EXPECT_EQ(CPU_COUNT(&mask), 1);
    const auto after = allowed_cpus();
    ASSERT_TRUE(after) << after.error().message;
    EXPECT_EQ(*after, *before);
  }).join();
}

TEST(Pinning, NamesTheCpusThatAreAllowed) {
  const auto allowed = allowed_cpus();
  ASSERT_TRUE(allowed) << allowed.error().message;
  for (const std::int32_t cpu : {-1, 1'023, 5'000}) {
    if (cpu >= 0 && allowed->contains(static_cast<std::uint32_t>(cpu))) continue;
    const auto pinned = pin_this_thread(cpu);
    ASSERT_FALSE(pinned);
    EXPECT_EQ(pinned.error().code, ErrorCode::configuration);
    EXPECT_NE(pinned.error().message.find("may use: " + allowed->text()), std::string::npos)
        << pinned.error().message;
  }
}

TEST(BindMemory, KeepsTheMemory) {
  auto block = SharedBlock::create(1 << 20, {.purpose = "a region"});
  ASSERT_TRUE(block) << block.error().message;
  block->data()[4'096] = std::byte{9};
  const auto cpus = pick_cores(1);
  ASSERT_TRUE(cpus) << cpus.error().message;
  EXPECT_EQ(bind_memory(block->bytes(), -1), "");
  const std::string notice = bind_memory(block->bytes(), static_cast<std::int32_t>(cpus->front()));
  EXPECT_TRUE(notice.empty() || notice.find("not bound") != std::string::npos) << notice;
  EXPECT_EQ(block->data()[4'096], std::byte{9});
}

}  // namespace
}  // namespace lockstep::runtime
