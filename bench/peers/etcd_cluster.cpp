#include "bench/peers/etcd_cluster.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "bench/peers/conversation.hpp"
#include "bench/peers/daemon.hpp"
#include "tools/launch/local_addresses.hpp"

namespace lockstep::bench::peers {
namespace {

constexpr std::uint64_t kTimeoutNs = 40'000'000'000;
constexpr std::uint32_t kPatientMs = 10'000;
/// A put that was in flight when its leader died may hang for seconds; a client that wants its
/// service back asks again.
constexpr std::uint32_t kImpatientMs = 100;
constexpr useconds_t kPauseUs = 1'000;

/// The gateway takes keys and values in base 64 (RFC 4648).
std::string base64(const std::string& bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text += i <= count ? kDigits[group >> (18 - 6 * i) & 63] : '=';
    }
  }
  return text;
}

}  // namespace

EtcdCluster::EtcdCluster(std::string program, std::string folder,
                         std::vector<std::string> addresses, std::uint64_t payload_bytes)
    : program_(std::move(program)),
      folder_(std::move(folder)),
      addresses_(std::move(addresses)),
      put_body_(fmt::format("{{\"key\":\"{}\",\"value\":\"{}\"}}", base64("key"),
                            base64(std::string(payload_bytes, 'x')))) {}

Expected<EtcdCluster> EtcdCluster::start(const std::string& folder, std::uint64_t payload_bytes) {
  auto program = find_program("etcd", "etcd-server");
  if (!program) return std::unexpected(program.error());
  auto addresses = launch::local_addresses("tcp", 2 * kNodes, {});
  if (!addresses) return std::unexpected(addresses.error());
  EtcdCluster cluster(std::move(*program), folder, std::move(*addresses), payload_bytes);
  for (std::size_t node = 0; node < kNodes; ++node) {
    if (auto started = cluster.start_node(node); !started) {
      return std::unexpected(started.error());
    }
  }
  if (auto found = cluster.find_leader(); !found) return std::unexpected(found.error());
  return cluster;
}

Expected<void> EtcdCluster::start_node(std::size_t node) {
  std::string all;
  for (std::size_t i = 0; i < kNodes; ++i) {
    all += fmt::format("{}node{}=http://{}", i == 0 ? "" : ",", i, peer_address(i));
  }
  const std::string client = "http://" + client_address(node);
  const std::string peer = "http://" + peer_address(node);
  auto server = start_daemon({program_,
                              "--name",
                              fmt::format("node{}", node),
                              "--data-dir",
                              fmt::format("{}/node{}", folder_, node),
                              "--listen-client-urls",
                              client,
                              "--advertise-client-urls",
                              client,
                              "--listen-peer-urls",
                              peer,
                              "--initial-advertise-peer-urls",
                              peer,
                              "--initial-cluster",
                              all,
                              "--initial-cluster-token",
                              "lockstep-bench",
                              "--logger",
                              "zap",
                              "--log-level",
                              "error"},
                             fmt::format("{}/node{}.log", folder_, node));
  if (!server) return std::unexpected(server.error());
  servers_[node].emplace(std::move(*server));
  return {};
}

/// Waits until one of them is the leader of all, and connects to it.
Expected<void> EtcdCluster::find_leader() {
  const std::uint64_t deadline_ns = now_ns() + kTimeoutNs;
  for (std::size_t node = 0; now_ns() < deadline_ns; node = (node + 1) % kNodes) {
    usleep(kPauseUs);
    auto client = HttpClient::connect(client_address(node), kPatientMs);
    if (!client) continue;
    const auto answer = client->post("/v3/maintenance/status", "{}");
    if (!answer) continue;
    const auto json = nlohmann::json::parse(*answer, nullptr, false);
    if (!json.is_object() || !json.contains("header")) continue;
    const std::string self = json["header"].value("member_id", "");
    if (self.empty() || json.value("leader", "") != self) continue;
    leader_ = node;
    version_ = json.value("version", "");
    client_.emplace(std::move(*client));
    return {};
  }
  return fail(ErrorCode::timed_out,
              fmt::format("etcd had no leader within {} s; it said: {}", kTimeoutNs / 1'000'000'000,
                          tail_of(folder_ + "/node0.log")));
}

Expected<void> EtcdCluster::put() {
  const auto answer = client_->post("/v3/kv/put", put_body_);
  if (!answer) return std::unexpected(answer.error());
  return {};
}

Expected<std::uint64_t> EtcdCluster::fail_over() {
  if (auto found = find_leader(); !found) return std::unexpected(found.error());
  if (auto done = put(); !done) return std::unexpected(done.error());
  const std::uint64_t killed_ns = now_ns();
  servers_[leader_]->kill();
  std::optional<std::uint64_t> blackout_ns;
  for (std::size_t i = 1; !blackout_ns && now_ns() < killed_ns + kTimeoutNs; ++i) {
    const std::size_t node = (leader_ + 1 + i % (kNodes - 1)) % kNodes;
    auto client = HttpClient::connect(client_address(node), kImpatientMs);
    if (client && client->post("/v3/kv/put", put_body_)) blackout_ns = now_ns() - killed_ns;
  }
  if (!blackout_ns) {
    return fail(ErrorCode::timed_out, fmt::format("etcd answered no put within {} s of its "
                                                  "leader's death",
                                                  kTimeoutNs / 1'000'000'000));
  }
  if (auto back = start_node(leader_); !back) return std::unexpected(back.error());
  const std::uint64_t deadline_ns = now_ns() + kTimeoutNs;
  for (bool serves = false; !serves && now_ns() < deadline_ns; usleep(kPauseUs)) {
    auto client = HttpClient::connect(client_address(leader_), kPatientMs);
    serves = client && client->post("/v3/kv/put", put_body_).has_value();
  }
  return *blackout_ns;
}

}  // namespace lockstep::bench::peers
