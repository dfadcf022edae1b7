#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "examples/matching_engine/options.hpp"
#include "examples/matching_engine/order_source.hpp"
#include "examples/matching_engine/run.hpp"
#include "lockstep/error.hpp"
#include "tools/launch/members.hpp"

namespace lockstep::examples {

/// Everything that a run came to, ready to be shown.
struct Report {
  const Options& options;
  FlowSummary summary;
  const MemberResult* alone;    ///< the run without a group
  const MemberResult* members;  ///< by rank; none if options.members is 1
  const std::vector<launch::MemberEnd>& ends;

  /// Every member finished with the digest of the run without a group.
  [[nodiscard]] bool good() const;
  /// For people: a table, or what went wrong by rank.
  [[nodiscard]] std::string table() const;
  /// For programs; documented in docs/matching-engine.md.
  [[nodiscard]] std::string json() const;
};

}  // namespace lockstep::examples
