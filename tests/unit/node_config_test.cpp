#include "tools/node/node_config.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/unit/runtime_folder.hpp"

namespace lockstep::node {
namespace {

class LoadNodeConfig : public ::testing::Test {
 protected:
  Expected<NodeConfig> load(const std::string& text, const std::string& self = "b") {
    std::ofstream(path_) << text;
    return load_node_config(path_, self);
  }
  std::string error_of(const std::string& text, const std::string& self = "b") {
    const auto config = load(text, self);
    return config ? "(none)" : config.error().message.substr(path_.size());
  }

  tests::Folder folder_;
  std::string path_ = folder_.file("node.toml");
};

constexpr const char* kGroup = "[group]\nmembers = [\"a\", \"b\"]\n";

TEST_F(LoadNodeConfig, MembersShareAFile) {
  const auto config = load(std::string(kGroup) +
                           "[reactor]\ncounters_file = \"/run/{self}.counters\"\n"
                           "[node]\napplication = \"kv\"\nlisten = \"/run/{self}.sock\"\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->member.group.self, "b");
  EXPECT_EQ(config->member.reactor.counters_file, "/run/b.counters");
  EXPECT_EQ(config->listen.text, "/run/b.sock");
  EXPECT_TRUE(config->listen.is_path);
}

TEST_F(LoadNodeConfig, NamesAnApplication) {
  const std::string node = std::string(kGroup) + "[node]\nlisten = \"/run/{self}.sock\"\n";
  EXPECT_EQ(load(node)->application, ApplicationKind::kv);
  EXPECT_EQ(load(node)->member.group.application, "node: kv");
  const auto engine = load(node + "application = \"matching_engine\"\nbook_orders = 1_000\n");
  ASSERT_TRUE(engine) << engine.error().message;
  EXPECT_EQ(engine->application, ApplicationKind::matching_engine);
  EXPECT_EQ(engine->book_orders, 1'000U);
  EXPECT_EQ(engine->member.group.application, "node: matching_engine of 1000 orders");
}

TEST_F(LoadNodeConfig, SaysWhatIsWrongAndWhere) {
  const std::string group = kGroup;
  EXPECT_EQ(error_of(group + "application = \"mine\"\n[node]\nlisten = \"/run/b.sock\"\n"),
            ": group.application = \"mine\": leave it out; a node fills it in from the table "
            "[node]");
  EXPECT_EQ(error_of(group + "[node]\nbook_orders = 5\n"),
            ":4: node.book_orders = 5: only with application = \"matching_engine\"");
  for (const char* wrong : {"0", "-1", "1_073_741_825", "99_999_999_999", "\"many\""}) {
    EXPECT_NE(error_of(group + "[node]\napplication = \"matching_engine\"\nbook_orders = " + wrong)
                  .find(": must be 1 to 1073741824"),
              std::string::npos)
        << wrong;
  }
  EXPECT_EQ(error_of(group + "[node]\nlisten = \"nowhere\"\n").substr(0, 30),
            ":4: node.listen = 'nowhere': '");
  EXPECT_EQ(error_of(group + "[node]\napplication = \"matching\"\n"),
            ":4: node.application = 'matching': must be \"kv\" or \"matching_engine\"");
  EXPECT_EQ(error_of(group + "[node]\nlistens = 5\n"),
            ":4: node.listens = 5: not known; allowed: application, book_orders, listen");
  EXPECT_NE(error_of(group).find("node.listen is missing"), std::string::npos);
  EXPECT_NE(error_of(group, "c").find("group.self is 'c', which is not among"), std::string::npos);
  EXPECT_NE(error_of("[group]\nring_bytes = 5\n").find(":2: group.ring_bytes = 5"),
            std::string::npos);
}

TEST(ParseAddress, TakesIpAddressesAndPaths) {
  EXPECT_TRUE(parse_address("127.0.0.1:7100"));
  EXPECT_TRUE(parse_address("[::1]:7100"));
  EXPECT_TRUE(parse_address("./a.sock"));
  for (const char* wrong : {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:99999",
                            "127.0.0.1:7100x", "::1:7100", "[::1]", "localhost:7100", "[]:1"}) {
    EXPECT_FALSE(parse_address(wrong)) << wrong;
  }
  EXPECT_FALSE(parse_address("/" + std::string(200, 'x')));
}

TEST(ListenAt, TakesOverAPathThatNobodyServesAndNoOther) {
  const tests::Folder folder;
  const Address address = parse_address(folder.file("a.sock")).value();
  {
    ASSERT_TRUE(listen_at(address));
  }  // and leaves it behind
  const auto listener = listen_at(address);
  ASSERT_TRUE(listener) << listener.error().message;
  EXPECT_EQ(listen_at(address).error().code, ErrorCode::identity_in_use);
  std::ofstream(folder.file("file")) << "mine";
  // No former self leaves that behind: it will not go away.
  EXPECT_EQ(listen_at(parse_address(folder.file("file")).value()).error().code,
            ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace lockstep::node
