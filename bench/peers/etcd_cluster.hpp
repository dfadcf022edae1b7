#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/peers/http_client.hpp"
#include "lockstep/error.hpp"
#include "tools/launch/child.hpp"

namespace lockstep::bench::peers {

/// Three etcd servers on loopback, their data in a folder, with default timeouts, and a client
/// that speaks to their JSON gateway.
class EtcdCluster {
 public:
  static constexpr std::size_t kNodes = 3;

  /// Starts them and waits until there is a leader. Errors: not_supported (there is no etcd),
  /// timed_out, system.
  static Expected<EtcdCluster> start(const std::string& folder, std::uint64_t payload_bytes);

  /// A put at the leader. Errors: system, input.
  Expected<void> put();

  /// Kills the leader; how long until a put at one of the others has been answered. The killed one
  /// is back when this returns. Errors: timed_out (40 s), system.
  Expected<std::uint64_t> fail_over();

  [[nodiscard]] const std::string& version() const noexcept { return version_; }

 private:
  EtcdCluster(std::string program, std::string folder, std::vector<std::string> addresses,
              std::uint64_t payload_bytes);
  Expected<void> start_node(std::size_t node);
  Expected<void> find_leader();
  [[nodiscard]] const std::string& client_address(std::size_t node) const {
    return addresses_[node];
  }
  [[nodiscard]] const std::string& peer_address(std::size_t node) const {
    return addresses_[kNodes + node];
  }

  std::string program_;
  std::string version_;
  std::string folder_;
  std::vector<std::string> addresses_;
  std::string put_body_;
  std::array<std::optional<launch::Child>, kNodes> servers_;
  std::size_t leader_ = 0;
  std::optional<HttpClient> client_;
};

}  // namespace lockstep::bench::peers
