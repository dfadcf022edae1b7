#include "transports/link_choice.hpp"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/doorbell.hpp"
#include "runtime/entropy.hpp"
#include "tests/transports/test_key.hpp"
#include "tests/transports/verbs_group.hpp"
#include "tools/launch/local_addresses.hpp"
#include "transports/connect.hpp"

namespace lockstep::transports {
namespace {

constexpr std::size_t kRegionBytes = 1 << 20;

/// What two members of transport "auto" on this host choose for their link.
struct Choices {
  std::optional<LinkChoice> of[2];
  std::string notices[2];        ///< of the link
  bool stores[2] = {};           ///< a post over it is a few stores
  std::uint64_t pinned_kib = 0;  ///< by both, for devices, while they were there
};

/// What devices keep in memory for this process (proc(5), VmPin).
std::uint64_t pinned_kib() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word && word != "VmPin:") {
  }
  std::uint64_t kib = 0;
  status >> kib;
  return kib;
}

/// Each from a thread of its own, which begins with `prepare`; the second comes `later`.
Choices meet(
    GroupConfig config, std::chrono::milliseconds later = {},
    const std::function<void(std::uint32_t rank)>& prepare = [](std::uint32_t) {}) {
  config.name = "choice-" + std::to_string(runtime::random_word().value());
  config.members = {"a", "b"};
  config.join_timeout_ns = 20'000'000'000;
  Choices choices;
  std::promise<void> met[2];
  std::promise<void> over;
  const std::shared_future<void> is_over = over.get_future().share();
  const auto live = [&](std::uint32_t rank) {
    prepare(rank);
    const runtime::Doorbell bell = runtime::Doorbell::create().value();
    auto connection =
        connect(config,
                {.my_rank = rank,
                 .region_bytes = kRegionBytes,
                 .source_bytes = 64,
                 .memory = {.huge_pages = HugePages::never},
                 .introduction = {},
                 .incarnation = rank + 1,
                 .doorbell = bell.descriptor()},
                [](std::uint32_t, const std::string&) -> Expected<void> { return {}; });
    EXPECT_TRUE(connection) << connection.error().message;
    // They stay: what a link takes is part of what is looked at.
    std::vector<Arrival> arrivals;
    if (connection) arrivals = connection->greeter->take();
    for (Arrival& arrival : arrivals) {
      if (arrival.purpose != Purpose::link) continue;
      choices.of[rank] = arrival.choice;
      for (const std::string& line : arrival.newcomer->notices().lines()) {
        choices.notices[rank] += line + "\n";
      }
      EXPECT_TRUE(connection->transport->adopt(std::move(arrival.newcomer)));
      choices.stores[rank] = connection->transport->posts_are_stores();
    }
    met[rank].set_value();
    is_over.wait();
  };
  std::thread first(live, 0);
  std::this_thread::sleep_for(later);
  std::thread second(live, 1);
  for (std::promise<void>& one : met) one.get_future().wait();
  choices.pinned_kib = pinned_kib();
  over.set_value();
  first.join();
  second.join();
  return choices;
}

void expect_both(const Choices& choices, const LinkChoice& expected) {
  for (const std::optional<LinkChoice>& choice : choices.of) {
    ASSERT_TRUE(choice);
    EXPECT_EQ(choice->medium, expected.medium);
    EXPECT_EQ(choice->sealed, expected.sealed);
    EXPECT_EQ(choice->no_shm, expected.no_shm);
    EXPECT_EQ(choice->no_verbs, expected.no_verbs);
  }
  for (const bool stores : choices.stores) EXPECT_EQ(stores, expected.medium == Medium::shm);
}

GroupConfig by(const std::string& transport, const std::string& family = "tcp") {
  return {.addresses = launch::local_addresses(family, 2, {}).value(), .transport = transport};
}

TEST(LinkChoice, IsSharedMemoryOnOneHostWhoeverComesFirst) {
  for (int milliseconds = 0; milliseconds < 20; ++milliseconds) {
    expect_both(meet(by("auto"), std::chrono::milliseconds(milliseconds)), {.medium = Medium::shm});
  }
}

TEST(LinkChoice, IsSharedMemoryThoughThereIsAKey) {
  const TestKeyFile key;
  GroupConfig config = by("auto");
  config.key_file = key.path();
  expect_both(meet(config), {.medium = Medium::shm});
}

TEST(LinkChoice, IsTcpWhereAllIsToBeEncrypted) {
  const TestKeyFile key;
  GroupConfig config = by("auto");
  config.key_file = key.path();
  config.encryption = "always";
  expect_both(meet(config), {.medium = Medium::tcp,
                             .sealed = true,
                             .no_shm = Obstacle::unsealed,
                             .no_verbs = Obstacle::unsealed});
}

TEST(LinkChoice, OfAConfigurationThatNamesAMediumIsThatMedium) {
  expect_both(
      meet(by("tcp")),
      {.medium = Medium::tcp, .no_shm = Obstacle::configured, .no_verbs = Obstacle::configured});
  const TestKeyFile key;
  GroupConfig config = by("udp", "udp");
  config.key_file = key.path();
  config.encryption = "always";
  expect_both(meet(config), {.medium = Medium::udp,
                             .sealed = true,
                             .no_shm = Obstacle::configured,
                             .no_verbs = Obstacle::configured});
}

/// Members that do not look for one another near, for want of a second host.
GroupConfig far(const std::string& family) {
  GroupConfig config = by("auto", family);
  config.encryption = "always";
  return config;
}

TEST(LinkChoice, IsTcpWithoutADevice) {
  expect_both(
      meet(far("tcp")),
      {.medium = Medium::tcp, .no_shm = Obstacle::unsealed, .no_verbs = Obstacle::no_device});
}

class VerbsChoice : public testing::Test {
 protected:
  void SetUp() override {
    const std::string missing = conformance::VerbsGroup::missing();
    if (!missing.empty()) GTEST_SKIP() << "platform limit: " << missing;
  }
};

TEST_F(VerbsChoice, IsRdmaWhereBothHaveADevice) {
  const Choices choices = meet(far("verbs"));
  expect_both(choices, {.medium = Medium::verbs, .no_shm = Obstacle::unsealed});
  EXPECT_GE(choices.pinned_kib, 2 * 2 * kRegionBytes / 1'024);
}

TEST_F(VerbsChoice, IsTcpWhereOneHasNone) {
  GroupConfig config = far("verbs");
  config.addresses[1] = launch::local_addresses("tcp", 2, {}).value()[1];
  const Choices choices = meet(config);
  ASSERT_TRUE(choices.of[0] && choices.of[1]);
  EXPECT_EQ(choices.of[0]->medium, Medium::tcp);
  EXPECT_EQ(choices.of[1]->medium, Medium::tcp);
  EXPECT_EQ(choices.of[0]->no_verbs, Obstacle::peer_no_device);
  EXPECT_EQ(choices.of[1]->no_verbs, Obstacle::no_device);
  // What the first offered in vain is not kept.
  EXPECT_LT(choices.pinned_kib, kRegionBytes / 1'024);
}

/// For the calling thread, and those that it starts, the limit of locked memory is in force.
void respect_locked_memory_limit() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
  ASSERT_EQ(::syscall(SYS_capget, &header, data), 0);
  data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective &= ~CAP_TO_MASK(CAP_IPC_LOCK);
  ASSERT_EQ(::syscall(SYS_capset, &header, data), 0);
}

/// While it lives, threads without CAP_IPC_LOCK may lock so many bytes of this process.
class LockedMemoryLimit {
 public:
  explicit LockedMemoryLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_MEMLOCK, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_MEMLOCK, &limit);
  }
  ~LockedMemoryLimit() { ::setrlimit(RLIMIT_MEMLOCK, &before_); }
  LockedMemoryLimit(const LockedMemoryLimit&) = delete;
  LockedMemoryLimit& operator=(const LockedMemoryLimit&) = delete;

 private:
  rlimit before_{};
};

// The device opens, since that takes a few pages; a link takes two copies of a region.
TEST_F(VerbsChoice, IsTcpWhereTheDeviceRefusesALink) {
  for (const std::uint32_t refused : {0U, 1U}) {
    const LockedMemoryLimit limit(kRegionBytes);
    const Choices choices = meet(far("verbs"), {}, [&](std::uint32_t rank) {
      if (rank == refused) respect_locked_memory_limit();
    });
    ASSERT_TRUE(choices.of[0] && choices.of[1]);
    EXPECT_EQ(choices.of[0]->medium, Medium::tcp);
    EXPECT_EQ(choices.of[1]->medium, Medium::tcp);
    EXPECT_EQ(choices.of[refused]->no_verbs, Obstacle::refused);
    EXPECT_EQ(choices.of[1 - refused]->no_verbs, Obstacle::peer_no_device);
    const std::string& notice = choices.notices[refused];
    EXPECT_NE(notice.find("no RDMA to rank"), std::string::npos) << notice;
    EXPECT_NE(notice.find("RLIMIT_MEMLOCK"), std::string::npos) << notice;
  }
}

}  // namespace
}  // namespace lockstep::transports
