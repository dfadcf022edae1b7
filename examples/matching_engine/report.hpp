#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "examples/matching_engine/failover.hpp"
#include "examples/matching_engine/options.hpp"
#include "examples/matching_engine/order_source.hpp"
#include "examples/matching_engine/run.hpp"
#include "lockstep/error.hpp"
#include "tools/launch/members.hpp"

namespace lockstep::examples {

/// Everything that a run came to, ready to be shown. Refers to its parts: make it and use it.
/// `alone` is the run without a group; `members` and `ends` are by rank, empty if there was none;
/// `failover` is what came of --kill, if all of it happened.
class Report {
 public:
  Report(const Options& options, const FlowSummary& summary, const MemberResult& alone,
         std::span<const MemberResult> members, std::span<const launch::MemberEnd> ends,
         const std::optional<Failover>& failover)
      : options_(options),
        summary_(summary),
        alone_(alone),
        members_(members),
        ends_(ends),
        failover_(failover) {}

  /// Every member finished with the digest of the run without a group; who was to be killed was,
  /// and came back.
  [[nodiscard]] bool good() const;
  /// For people: a table, or what went wrong by rank.
  [[nodiscard]] std::string table() const;
  /// For programs; documented in docs/matching-engine.md.
  [[nodiscard]] std::string json() const;

 private:
  [[nodiscard]] std::string notices() const;
  [[nodiscard]] std::string table_alone() const;
  [[nodiscard]] std::string table_of_failover() const;
  [[nodiscard]] bool replicated() const { return !members_.empty(); }

  const Options& options_;
  const FlowSummary& summary_;
  const MemberResult& alone_;
  std::span<const MemberResult> members_;
  std::span<const launch::MemberEnd> ends_;
  const std::optional<Failover>& failover_;
};

}  // namespace lockstep::examples
