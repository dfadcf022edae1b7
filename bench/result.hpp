#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/launch/histogram.hpp"

namespace lockstep::bench {

/// Quantiles of a histogram, in nanoseconds.
struct LatencySummary {
  std::uint64_t min = 0;
  std::uint64_t p50 = 0;
  std::uint64_t p90 = 0;
  std::uint64_t p99 = 0;
  std::uint64_t p999 = 0;
  std::uint64_t max = 0;
  std::uint64_t count = 0;
  bool operator==(const LatencySummary&) const = default;
};
LatencySummary summarize(const launch::Histogram& histogram);

/// One point of a distribution: `percent` of all durations do not exceed `ns`.
struct CurvePoint {
  double percent = 0;
  std::uint64_t ns = 0;
  bool operator==(const CurvePoint&) const = default;
};
/// The distribution as a line: from the least to as far into the tail as the count carries, so that
/// every point has at least one value above it.
std::vector<CurvePoint> curve(const launch::Histogram& histogram);

/// Where the benchmark ran.
struct Machine {
  std::string cpu;                         ///< model name as the kernel gives it
  std::uint32_t cores = 0;                 ///< CPUs online
  std::vector<std::int32_t> allowed_cpus;  ///< those this process may run on
  std::string kernel;                      ///< system and release, as uname(2) gives them
  std::array<double, 3> load_average{};    ///< over 1, 5 and 15 minutes, before the run
  std::string date;                        ///< of the start, UTC, ISO 8601
  std::string commit;                      ///< of the source, "unknown" when built without git
  std::string compiler;
  bool operator==(const Machine&) const = default;
};

/// What one member measured as a sender, and used.
struct RankResult {
  std::uint32_t rank = 0;
  std::optional<LatencySummary> latency_ns;
  std::optional<double> ratio_p50;
  std::optional<double> cpu_share;  ///< of one core
  bool operator==(const RankResult&) const = default;
};

/// One benchmark. What was not measured in its scenario is empty (null in JSON).
struct Result {
  std::string scenario;
  std::string transport;
  std::string ordering;
  std::uint32_t members = 0;
  std::uint32_t senders = 0;
  std::uint64_t payload_bytes = 0;
  std::string idle;  ///< the policy in force
  std::optional<LatencySummary> latency_ns;
  std::optional<LatencySummary> latency_last_ns;
  std::optional<LatencySummary> floor_ns;  ///< JSON: min, p50, p99 and count
  std::vector<CurvePoint> latency_curve;
  std::vector<CurvePoint> floor_curve;
  std::optional<double> ratio_p50;
  std::optional<double> messages_per_s;
  std::optional<double> bytes_per_s;
  std::optional<double> floor_messages_per_s;
  std::optional<double> floor_bytes_per_s;
  std::optional<double> ratio_throughput;
  std::optional<LatencySummary> blackout_ns;  ///< kill → first delivery at the last survivor
  std::optional<LatencySummary> change_ns;    ///< first unreachable → last installation
  std::optional<std::uint64_t> false_evictions;
  std::optional<std::uint64_t> runs;
  std::optional<std::string> result_hash;
  std::vector<RankResult> ranks;
  std::uint32_t loss_percent = 0;  ///< of the packets between members
  /// Loss: p99 over that of the loss-free rounds beside it, median of the rounds.
  std::optional<double> ratio_p99_loss;
  bool encrypted = false;  ///< all links
  /// Encrypted: p50 over that of the rounds in the clear beside it, median of the rounds.
  std::optional<double> ratio_p50_encryption;
  double rate = 0;
  double seconds = 0;
  std::string as;
  std::vector<std::int32_t> cores;
  std::uint64_t ring_bytes = 0;
  std::uint64_t blocks = 0;  ///< block pairs behind the ratio
  std::vector<std::string> notices;
  std::string not_run;  ///< why it could not be measured here; empty: it was
  bool failed = false;  ///< and that is a fault of the group, not a lack of this machine
  bool operator==(const Result&) const = default;
};

/// Somebody else's system beside a group, run in turns on this machine. What was not measured is
/// empty (null in JSON).
struct Comparison {
  std::string peer;
  std::string version;
  std::string measured;   ///< what the peer does for its figure
  std::string medium;     ///< of the peer
  std::string transport;  ///< of the group; the word "apart" if its members are
  std::uint32_t members = 0;
  std::uint64_t payload_bytes = 0;
  std::optional<LatencySummary> group_ns;
  std::optional<LatencySummary> floor_ns;  ///< of the group's transport
  std::optional<LatencySummary> peer_ns;
  std::vector<CurvePoint> group_curve;
  std::vector<CurvePoint> peer_curve;
  std::optional<double> ratio_p50;  ///< group over peer, median of the turns
  std::uint64_t turns = 0;
  std::string not_run;  ///< why there is nothing to compare with; empty: there is
  bool operator==(const Comparison&) const = default;
};

struct Report {
  Machine machine;
  std::string command;  ///< the command line, as typed
  std::vector<Result> results;
  std::vector<Comparison> comparisons{};
  bool operator==(const Report&) const = default;
};

}  // namespace lockstep::bench
