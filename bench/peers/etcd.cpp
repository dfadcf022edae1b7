// Measures etcd: three servers, a client that waits for each put at the leader, and what it takes
// until a put is answered after the leader was killed.
//
//     lockstep_peer_etcd FOLDER PAYLOAD_BYTES

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/peers/conversation.hpp"
#include "bench/peers/etcd_cluster.hpp"

namespace lockstep::bench::peers {
namespace {

int run(const std::string& folder, std::uint64_t payload_bytes) {
  auto cluster = EtcdCluster::start(folder, payload_bytes);
  if (!cluster) return refuse(cluster.error());
  Conversation conversation;
  conversation.measure = [&](std::uint64_t samples) -> Expected<std::vector<std::uint64_t>> {
    std::vector<std::uint64_t> latency_ns;
    for (std::uint64_t i = 0; i < samples; ++i) {
      const std::uint64_t start_ns = now_ns();
      if (auto done = cluster->put(); !done) return std::unexpected(done.error());
      latency_ns.push_back(now_ns() - start_ns);
    }
    return latency_ns;
  };
  conversation.failover = [&] { return cluster->fail_over(); };
  return converse("etcd", cluster->version(), conversation);
}

}  // namespace
}  // namespace lockstep::bench::peers

int main(int count, char** words) {
  if (count != 3) {
    fmt::print(stderr, "usage: {} FOLDER PAYLOAD_BYTES\n", words[0]);
    return EXIT_FAILURE;
  }
  return lockstep::bench::peers::run(words[1], std::strtoull(words[2], nullptr, 10));
}
