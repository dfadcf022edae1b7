#include "transports/connect.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "tests/transports/meeting_by_tcp.hpp"
#include "tests/transports/verbs_group.hpp"
#include "tests/unit/runtime_folder.hpp"

namespace lockstep::transports {
namespace {

using testing::HasSubstr;

/// The setting, from the file to the transport.
class ConnectWithKey : public MeetingByTcp, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    if (GetParam() != std::string("verbs")) return;
    const std::string missing = conformance::VerbsGroup::missing();
    if (!missing.empty()) GTEST_SKIP() << "platform limit: " << missing;
    addresses_ = launch::local_addresses("verbs", 2, {}).value();
  }

  std::string key_file(const std::string& name, char digit) const {
    const std::string path = folder_.file(name);
    std::ofstream(path) << std::string(2 * GroupKey::kBytes, digit) << '\n';
    ::chmod(path.c_str(), 0600);
    return path;
  }

  Expected<Connection> connect_as(std::uint32_t rank, const std::string& key_file) const {
    return connect_as(rank, key_file, {addresses_[0], addresses_[1]});
  }

  static Expected<Connection> connect_as(std::uint32_t rank, const std::string& key_file,
                                         const std::vector<std::string>& addresses) {
    const GroupConfig config{.name = "hello",
                             .members = {"a", "b"},
                             .addresses = addresses,
                             .transport = GetParam(),
                             .key_file = key_file,
                             .join_timeout_ns = 20 * kSecond};
    return connect(config,
                   {.my_rank = rank,
                    .region_bytes = 4'096,
                    .source_bytes = 0,
                    .memory = {},
                    .introduction = {},
                    .incarnation = rank + 1},
                   [](std::uint32_t, const std::string&) -> Expected<void> { return {}; });
  }

  tests::Folder folder_;
};

TEST_P(ConnectWithKey, TakesTheKeyFromTheFile) {
  const std::string path = key_file("key", 'a');
  Expected<Connection> connected[2];
  std::thread first([&] { connected[0] = connect_as(0, path); });
  connected[1] = connect_as(1, path);
  first.join();
  for (const auto& one : connected) {
    ASSERT_TRUE(one) << one.error().message;
    EXPECT_TRUE(one->founds);
    EXPECT_THAT(one->greeter->notices(),
                testing::Not(testing::Contains(HasSubstr("authenticated"))));
  }
}

TEST_P(ConnectWithKey, OneOfTwoAddressesIsEnough) {
  const std::string path = key_file("key", 'a');
  for (const std::uint32_t knows_both : {0U, 1U}) {
    Expected<Connection> connected[2];
    std::vector<std::string> own = {"", ""};
    own[1 - knows_both] = addresses_[1 - knows_both];
    std::thread other([&] { connected[0] = connect_as(1 - knows_both, path, own); });
    connected[1] = connect_as(knows_both, path);
    other.join();
    for (const auto& one : connected) {
      ASSERT_TRUE(one) << one.error().message;
      EXPECT_TRUE(one->founds);
    }
  }
}

TEST_P(ConnectWithKey, SaysWhatIsWrongWithTheFileBeforeItConnects) {
  const std::string path = key_file("key", 'a');
  ::chmod(path.c_str(), 0644);
  for (const std::string& wrong : {folder_.file("none"), path}) {
    const auto connected = connect_as(0, wrong);
    ASSERT_FALSE(connected);
    EXPECT_EQ(connected.error().code, ErrorCode::configuration);
    EXPECT_THAT(connected.error().message, HasSubstr(wrong));
  }
}

INSTANTIATE_TEST_SUITE_P(tcp, ConnectWithKey, testing::Values("tcp"));
INSTANTIATE_TEST_SUITE_P(verbs, ConnectWithKey, testing::Values("verbs"));

}  // namespace
}  // namespace lockstep::transports
