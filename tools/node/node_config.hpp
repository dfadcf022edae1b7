#pragma once

#include <cstdint>
#include <string>

#include "lockstep/config.hpp"
#include "tools/node/address.hpp"

namespace lockstep::node {

enum class ApplicationKind : std::uint8_t { kv, matching_engine };

/// What `lockstep node` runs: a member, what it replicates, and where it serves clients. In a file:
/// the tables
/// `[reactor]`, `[group]` and `[node]` (docs/node.md).
struct NodeConfig {
  Config member;
  Address listen;
  ApplicationKind application = ApplicationKind::kv;
  std::uint32_t book_orders = 262'144;  ///< of a matching engine: the most that rest at a time
};

/// Reads `path`. `self`, unless empty, is put in place of group.self, so that members can share a
/// file; "{self}" in node.listen and reactor.counters_file is then the member's name. Errors: as
/// load_config, with file, line and key.
Expected<NodeConfig> load_node_config(const std::string& path, const std::string& self);

}  // namespace lockstep::node
