// Measures corosync's closed process groups: agreed order, from multicast to own delivery.
//
//     lockstep_peer_corosync FOLDER PAYLOAD_BYTES NETWORK=ADDRESS…
//
// One node for each network namespace; this process is the client at the first.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "bench/peers/conversation.hpp"
#include "bench/peers/corosync_node.hpp"
#include "bench/peers/daemon.hpp"

namespace lockstep::bench::peers {
namespace {

struct Place {
  std::string network;
  std::string address;
};

/// Defaults, but for the transport: multicast, the one of its three with which agreed order costs
/// one datagram a message however many nodes there are.
std::string configuration(const std::vector<Place>& places) {
  std::string text =
      "totem {\n  version: 2\n  cluster_name: lockstep-bench\n  transport: udp\n}\n"
      "logging {\n  to_stderr: yes\n  to_syslog: no\n  to_logfile: no\n}\n"
      "nodelist {\n";
  for (std::size_t i = 0; i < places.size(); ++i) {
    text += fmt::format("  node {{\n    ring0_addr: {}\n    nodeid: {}\n    name: node{}\n  }}\n",
                        places[i].address, i + 1, i + 1);
  }
  return text + "}\n";
}

std::string version() {
  // "Corosync Cluster Engine, version '3.1.7'"
  std::string text;
  if (FILE* output = popen("/usr/sbin/corosync -v 2>/dev/null", "r"); output != nullptr) {
    char line[200] = "";
    if (fgets(line, sizeof line, output) != nullptr) text = line;
    pclose(output);
  }
  const std::size_t start = text.find('\'');
  const std::size_t end = text.rfind('\'');
  return start < end && end != std::string::npos ? text.substr(start + 1, end - start - 1) : "";
}

int run(const std::string& folder, std::size_t payload_bytes, const std::vector<Place>& places) {
  if (auto program = find_program("corosync", "corosync"); !program) return refuse(program.error());
  const std::string words = version();
  std::ofstream(folder + "/corosync.conf") << configuration(places);
  const auto start = [&](std::size_t i) {
    return CorosyncNode::start(places[i].network, folder, fmt::format("node{}", i));
  };
  std::vector<launch::Child> others;
  for (std::size_t i = 1; i < places.size(); ++i) {
    auto other = launch::Child::start([&] {
      auto node = start(i);
      if (node) node->follow();
      return EXIT_FAILURE;
    });
    if (!other) return refuse(other.error());
    others.push_back(std::move(*other));
  }
  auto node = start(0);
  if (!node) return refuse(node.error());
  if (auto met = node->wait_for_members(places.size()); !met) return refuse(met.error());
  const std::vector<char> payload(payload_bytes, 'x');
  Conversation conversation;
  conversation.measure = [&](std::uint64_t samples) -> Expected<std::vector<std::uint64_t>> {
    std::vector<std::uint64_t> latency_ns;
    for (std::uint64_t i = 0; i < samples; ++i) {
      const std::uint64_t start_ns = now_ns();
      if (auto delivered = node->deliver_one(payload); !delivered) {
        return std::unexpected(delivered.error());
      }
      latency_ns.push_back(now_ns() - start_ns);
    }
    return latency_ns;
  };
  return converse("corosync", words, conversation);
}

}  // namespace
}  // namespace lockstep::bench::peers

int main(int count, char** words) {
  if (count < 4) {
    fmt::print(stderr, "usage: {} FOLDER PAYLOAD_BYTES NETWORK=ADDRESS…\n", words[0]);
    return EXIT_FAILURE;
  }
  std::vector<lockstep::bench::peers::Place> places;
  for (int i = 3; i < count; ++i) {
    const std::string word = words[i];
    const std::size_t equals = word.find('=');
    places.push_back({word.substr(0, equals), word.substr(std::min(word.size(), equals + 1))});
  }
  return lockstep::bench::peers::run(words[1], std::strtoull(words[2], nullptr, 10), places);
}
