#include "transports/connect.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "tests/transports/meeting_by_tcp.hpp"
#include "tests/unit/runtime_folder.hpp"

namespace lockstep::transports {
namespace {

using testing::HasSubstr;

/// The setting, from the file to the transport.
class ConnectWithKey : public MeetingByTcp {
 protected:
  std::string key_file(const std::string& name, char digit) const {
    const std::string path = folder_.file(name);
    std::ofstream(path) << std::string(2 * GroupKey::kBytes, digit) << '\n';
    ::chmod(path.c_str(), 0600);
    return path;
  }

  Expected<std::unique_ptr<Transport>> connect_as(std::uint32_t rank,
                                                  const std::string& key_file) const {
    const GroupConfig config{.name = "hello",
                             .members = {"a", "b"},
                             .addresses = {addresses_[0], addresses_[1]},
                             .key_file = key_file,
                             .join_timeout_ns = 3 * kSecond};
    return connect(config,
                   {.my_rank = rank,
                    .region_bytes = 4'096,
                    .source_bytes = 0,
                    .memory = {},
                    .introduction = {}},
                   [](std::uint32_t, const std::string&) -> Expected<void> { return {}; });
  }

  tests::Folder folder_;
};

TEST_F(ConnectWithKey, TakesTheKeyFromTheFile) {
  const std::string path = key_file("key", 'a');
  Expected<std::unique_ptr<Transport>> connected[2];
  std::thread first([&] { connected[0] = connect_as(0, path); });
  connected[1] = connect_as(1, path);
  first.join();
  for (const auto& one : connected) {
    ASSERT_TRUE(one) << one.error().message;
    EXPECT_THAT((*one)->notices(), testing::Not(testing::Contains(HasSubstr("authenticated"))));
  }
}

TEST_F(ConnectWithKey, SaysWhatIsWrongWithTheFileBeforeItConnects) {
  const std::string path = key_file("key", 'a');
  ::chmod(path.c_str(), 0644);
  for (const std::string& wrong : {folder_.file("none"), path}) {
    const auto connected = connect_as(0, wrong);
    ASSERT_FALSE(connected);
    EXPECT_EQ(connected.error().code, ErrorCode::configuration);
    EXPECT_THAT(connected.error().message, HasSubstr(wrong));
  }
}

}  // namespace
}  // namespace lockstep::transports
