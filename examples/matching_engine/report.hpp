#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "examples/matching_engine/options.hpp"
#include "examples/matching_engine/order_source.hpp"
#include "examples/matching_engine/run.hpp"
#include "lockstep/error.hpp"
#include "tools/launch/members.hpp"

namespace lockstep::examples {

/// Everything that a run came to, ready to be shown. Refers to its parts: make it and use it.
/// `alone` is the run without a group; `members` and `ends` are by rank, empty if there was none.
class Report {
 public:
  Report(const Options& options, const FlowSummary& summary, const MemberResult& alone,
         std::span<const MemberResult> members, std::span<const launch::MemberEnd> ends)
      : options_(options), summary_(summary), alone_(alone), members_(members), ends_(ends) {}

  /// Every member finished with the digest of the run without a group.
  [[nodiscard]] bool good() const;
  /// For people: a table, or what went wrong by rank.
  [[nodiscard]] std::string table() const;
  /// For programs; documented in docs/matching-engine.md.
  [[nodiscard]] std::string json() const;

 private:
  [[nodiscard]] std::string notices() const;
  [[nodiscard]] std::string table_alone() const;
  [[nodiscard]] bool replicated() const { return !members_.empty(); }

  const Options& options_;
  const FlowSummary& summary_;
  const MemberResult& alone_;
  std::span<const MemberResult> members_;
  std::span<const launch::MemberEnd> ends_;
};

}  // namespace lockstep::examples
