#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <list>
#include <string>

#include "tests/unit/runtime_folder.hpp"
#include "tools/node/gateway.hpp"
#include "tools/node/kv_client.hpp"
#include "tools/node/kv_store.hpp"

namespace lockstep::node {
namespace {

constexpr int kPatienceMs = 10'000;

/// Bad clients of a member that has not joined its group: who is served at all is told so.
class GatewayOfAnOutsider : public ::testing::Test {
 protected:
  void start(std::size_t most_clients, std::uint64_t patience_ms) {
    ASSERT_TRUE(bell_.open());
    auto listener = listen_at(address_);
    ASSERT_TRUE(listener) << listener.error().message;
    gateway_.emplace(address_, std::move(*listener), bell_, served_,
                     Gateway::Options{.most_clients = most_clients, .patience_ms = patience_ms});
  }

  Descriptor connect() { return connect_to(address_, kPatienceMs).value_or(Descriptor()); }

  static void say(const Descriptor& client, std::string_view bytes) {
    EXPECT_EQ(::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }

  /// Until the connection ends, or `most` bytes.
  static std::string hear(const Descriptor& client, std::size_t most = 1 << 20) {
    std::string heard;
    while (heard.size() < most) {
      pollfd wanted{.fd = client.get(), .events = POLLIN, .revents = 0};
      if (::poll(&wanted, 1, kPatienceMs) != 1) return heard + "(and then nothing)";
      char byte = 0;
      if (::recv(client.get(), &byte, 1, 0) != 1) return heard;
      heard += byte;
    }
    return heard;
  }

  tests::Folder folder_;
  Address address_ = parse_address(folder_.file("a.sock")).value();
  Bell bell_;
  KvStore store_;
  ServedApplication served_{bell_, store_};
  std::optional<Gateway> gateway_;
};

TEST_F(GatewayOfAnOutsider, SaysThatThereIsNoGroupYet) {
  start(4, kPatienceMs);
  auto client = KvClient::connect(address_, kPatienceMs);
  ASSERT_TRUE(client) << client.error().message;
  for (int i = 0; i < 3; ++i) {
    const auto stored = client->put("a", "1");
    ASSERT_FALSE(stored);
    EXPECT_NE(stored.error().message.find("not joined"), std::string::npos);
  }
}

TEST_F(GatewayOfAnOutsider, TellsWhoSpeaksOtherwiseAndCloses) {
  start(4, kPatienceMs);
  const Descriptor client = connect();
  say(client, "GET / HTTP/1.1\r\n\r\n");
  const std::string heard = hear(client);
  EXPECT_NE(heard.find("does not begin with LKV1"), std::string::npos) << heard;
}

TEST_F(GatewayOfAnOutsider, ServesRequestsThatCameTogetherOneAfterAnother) {
  start(4, kPatienceMs);
  const Descriptor client = connect();
  const std::string get = encode(Request{.kind = RequestKind::get, .key = "a"});
  say(client, get + get + get.substr(0, 5));
  const std::string reply = refusal("this member has not joined its group yet; try again");
  EXPECT_EQ(hear(client, 2 * reply.size()), reply + reply);
  say(client, get.substr(5));
  EXPECT_EQ(hear(client, reply.size()), reply);
}

TEST_F(GatewayOfAnOutsider, ClosesWhoNeverEndsItsRequest) {
  start(4, 300);
  const Descriptor client = connect();
  say(client, "LKV1");
  EXPECT_EQ(hear(client), "");
}

TEST_F(GatewayOfAnOutsider, LeavesWhoAsksNothingAlone) {
  start(4, 100);
  auto client = KvClient::connect(address_, kPatienceMs);
  ASSERT_TRUE(client);
  ASSERT_FALSE(client->get("a", false));
  ::poll(nullptr, 0, 600);
  const auto again = client->get("a", false);
  EXPECT_NE(again.error().message.find("not joined"), std::string::npos) << again.error().message;
}

TEST_F(GatewayOfAnOutsider, ServesSoManyClientsAndNoMore) {
  start(2, kPatienceMs);
  std::list<KvClient> served;
  for (int i = 0; i < 2; ++i) {
    served.push_back(std::move(KvClient::connect(address_, kPatienceMs).value()));
    ASSERT_FALSE(served.back().get("a", false));
  }
  const Descriptor third = connect();
  EXPECT_NE(hear(third).find("2 clients are served"), std::string::npos);
  served.pop_front();
  // Its end may be seen a moment later.
  for (int i = 0; i < 100; ++i) {
    const auto got = KvClient::connect(address_, kPatienceMs).value().get("a", false);
    if (got.error().message.find("not joined") != std::string::npos) return;
    ::poll(nullptr, 0, 20);
  }
  FAIL() << "nobody is served in its place";
}

TEST_F(GatewayOfAnOutsider, LeavesNoPathBehind) {
  start(2, kPatienceMs);
  gateway_.reset();
  EXPECT_FALSE(connect_to(address_, kPatienceMs));
  EXPECT_FALSE(std::filesystem::exists(address_.text));
}

}  // namespace
}  // namespace lockstep::node
