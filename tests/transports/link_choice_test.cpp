#include "transports/link_choice.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "runtime/doorbell.hpp"
#include "runtime/entropy.hpp"
#include "tests/transports/test_key.hpp"
#include "tests/transports/verbs_group.hpp"
#include "tools/launch/local_addresses.hpp"
#include "transports/connect.hpp"

namespace lockstep::transports {
namespace {

/// What two members of transport "auto" on this host choose for their link.
struct Choices {
  std::optional<LinkChoice> of[2];
};

std::optional<LinkChoice> choice_of(Connection& connection) {
  for (Arrival& arrival : connection.greeter->take()) {
    if (arrival.purpose == Purpose::link) return arrival.choice;
  }
  return std::nullopt;
}

/// Each from a thread of its own; the second comes `later`.
Choices meet(GroupConfig config, std::chrono::milliseconds later = {}) {
  config.name = "choice-" + std::to_string(runtime::random_word().value());
  config.members = {"a", "b"};
  config.join_timeout_ns = 20'000'000'000;
  Choices choices;
  std::promise<void> met[2];
  std::promise<void> over;
  const std::shared_future<void> is_over = over.get_future().share();
  const auto live = [&](std::uint32_t rank) {
    const runtime::Doorbell bell = runtime::Doorbell::create().value();
    auto connection =
        connect(config,
                {.my_rank = rank,
                 .region_bytes = 4'096,
                 .source_bytes = 64,
                 .memory = {.huge_pages = HugePages::never},
                 .introduction = {},
                 .incarnation = rank + 1,
                 .doorbell = bell.descriptor()},
                [](std::uint32_t, const std::string&) -> Expected<void> { return {}; });
    EXPECT_TRUE(connection) << connection.error().message;
    if (connection) choices.of[rank] = choice_of(*connection);
    met[rank].set_value();
    is_over.wait();
  };
  std::thread first(live, 0);
  std::this_thread::sleep_for(later);
  std::thread second(live, 1);
  for (std::promise<void>& one : met) one.get_future().wait();
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
  expect_both(meet(far("verbs")), {.medium = Medium::verbs, .no_shm = Obstacle::unsealed});
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
}

}  // namespace
}  // namespace lockstep::transports
