#include <gtest/gtest.h>
#include <net/if.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include "tests/partitions/child.hpp"
#include "tests/partitions/network_namespace.hpp"
#include "tests/partitions/partitions.hpp"

// Nothing of a broken network stays behind, however its maker ends.

namespace lockstep::test {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

struct Counts {
  std::size_t interfaces = 0;
  std::size_t descriptors = 0;
  std::size_t names = 0;  ///< of network namespaces, as `ip netns` keeps them
  bool operator==(const Counts&) const = default;
};

std::size_t entries(const char* folder) {
  std::error_code gone;
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder, gone)) {
    static_cast<void>(entry);
    ++count;
  }
  return count;
}

/// What there is in this process and in the network it lives in.
Counts count() {
  Counts counts;
  if (struct if_nameindex* all = if_nameindex()) {
    while (all[counts.interfaces].if_index != 0) ++counts.interfaces;
    if_freenameindex(all);
  }
  counts.descriptors = entries("/proc/self/fd");
  counts.names = entries("/run/netns");
  return counts;
}

bool has_interface(const NetworkNamespace& network, const char* name) {
  bool has = false;
  const auto visited = network.visit([&] { has = if_nametoindex(name) != 0; });
  return visited && has;
}

/// Whether `name` comes to be there (or not to be there) within 20 s.
bool comes_to(const NetworkNamespace& network, const char* name, bool there) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (has_interface(network, name) != there) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

/// Makes a network with a busy member, stretches a cable from it to `observer`, and never ends.
int make_a_network_and_stay(const std::string& observer) {
  auto network = Partitions::create(3);
  if (!network) return 1;
  auto busy = network->start_in(1, [] {
    while (true) pause();
    return 0;
  });
  // The far end of a cable goes when the network of the near one does.
  const auto stretched = network->network_of(1).ip(
      "link add near type veth peer name canary netns " + observer + "\n");
  if (!busy || !stretched) return 2;
  while (true) pause();
  return 0;
}

TEST(PartitionsCleanup, NothingIsLeftBehind) {
  const Counts before = count();
  {
    auto network = Partitions::create(4);
    if (!network && network.error().code == ErrorCode::not_supported) {
      GTEST_SKIP() << "platform limit: " << network.error().message;
    }
    ASSERT_TRUE(network) << network.error().message;
    ASSERT_TRUE(network->cut(0, 1));
    ASSERT_TRUE(network->take_link_down(2));
    auto sleeper = network->start_in(3, [] { return pause(); });
    ASSERT_TRUE(sleeper) << sleeper.error().message;
    EXPECT_EQ(count().interfaces, before.interfaces);
    EXPECT_EQ(count().names, before.names);
    EXPECT_GT(count().descriptors, before.descriptors);
  }
  EXPECT_EQ(count(), before);
}

TEST(PartitionsCleanup, TheKernelForgetsANetworkWhoseMakerIsKilled) {
  const Counts before = count();
  {
    auto observer = NetworkNamespace::create();
    if (!observer && observer.error().code == ErrorCode::not_supported) {
      GTEST_SKIP() << "platform limit: " << observer.error().message;
    }
    ASSERT_TRUE(observer) << observer.error().message;
    const std::string path = observer->path();
    auto maker = Child::start([&] { return make_a_network_and_stay(path); });
    ASSERT_TRUE(maker) << maker.error().message;
    ASSERT_TRUE(comes_to(*observer, "canary", true)) << "exit code " << maker->wait(0).value_or(-1);
    kill(maker->pid(), SIGKILL);
    EXPECT_EQ(maker->wait(20 * kSecondNs).value_or(-1), 128 + SIGKILL);
    EXPECT_TRUE(comes_to(*observer, "canary", false)) << "the killed process left a network behind";
  }
  EXPECT_EQ(count(), before);
}

TEST(PartitionsCleanup, AChildEndsWithItsOwner) {
  pid_t pid = 0;
  {
    auto child = Child::start([] { return pause(); });
    ASSERT_TRUE(child) << child.error().message;
    pid = child->pid();
    EXPECT_EQ(kill(pid, 0), 0);
    const auto early = child->wait(1'000'000);
    ASSERT_FALSE(early);
    EXPECT_EQ(early.error().code, ErrorCode::timed_out);
  }
  EXPECT_EQ(kill(pid, 0), -1);
}

TEST(PartitionsCleanup, AUserWithoutPrivilegesIsToldWhatIsMissing) {
  auto child = Child::start([] {
    constexpr uid_t kNobody = 65534;
    if (getuid() == 0 && setuid(kNobody) != 0) return 1;
    const auto network = Partitions::create(2);
    if (network) return 2;
    if (network.error().code != ErrorCode::not_supported) return 3;
    return network.error().message.find("CAP_SYS_ADMIN") == std::string::npos ? 4 : 0;
  });
  ASSERT_TRUE(child) << child.error().message;
  EXPECT_EQ(child->wait(20 * kSecondNs).value_or(-1), 0);
}

}  // namespace
}  // namespace lockstep::test
