#include "bench/report.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace lockstep::bench {
namespace {

using Json = nlohmann::ordered_json;

Json write(const LatencySummary& summary) {
  return {{"min", summary.min},    {"p50", summary.p50},   {"p90", summary.p90},
          {"p99", summary.p99},    {"p999", summary.p999}, {"max", summary.max},
          {"count", summary.count}};
}

Json write_floor(const LatencySummary& summary) {
  return {
      {"min", summary.min}, {"p50", summary.p50}, {"p99", summary.p99}, {"count", summary.count}};
}

Json write(const std::vector<CurvePoint>& points) {
  Json json = Json::array();
  for (const CurvePoint& point : points) json.push_back({point.percent, point.ns});
  return json;
}

template <class T>
Json optional(const std::optional<T>& value) {
  if (!value) return nullptr;
  if constexpr (std::is_same_v<T, LatencySummary>) {
    return write(*value);
  } else {
    return *value;
  }
}

Json write(const Machine& machine) {
  return {{"cpu", machine.cpu},
          {"cores", machine.cores},
          {"allowed_cpus", machine.allowed_cpus},
          {"kernel", machine.kernel},
          {"load_average", machine.load_average},
          {"date", machine.date},
          {"commit", machine.commit},
          {"compiler", machine.compiler}};
}

Json write(const RankResult& rank) {
  return {{"rank", rank.rank},
          {"latency_ns", optional(rank.latency_ns)},
          {"ratio_p50", optional(rank.ratio_p50)},
          {"cpu_share", optional(rank.cpu_share)}};
}

Json write(const Result& result) {
  Json ranks = Json::array();
  for (const RankResult& rank : result.ranks) ranks.push_back(write(rank));
  return {{"scenario", result.scenario},
          {"transport", result.transport},
          {"ordering", result.ordering},
          {"members", result.members},
          {"senders", result.senders},
          {"payload_bytes", result.payload_bytes},
          {"idle", result.idle},
          {"latency_ns", optional(result.latency_ns)},
          {"latency_last_ns", optional(result.latency_last_ns)},
          {"floor_ns", result.floor_ns ? write_floor(*result.floor_ns) : Json(nullptr)},
          {"latency_curve", write(result.latency_curve)},
          {"floor_curve", write(result.floor_curve)},
          {"ratio_p50", optional(result.ratio_p50)},
          {"messages_per_s", optional(result.messages_per_s)},
          {"bytes_per_s", optional(result.bytes_per_s)},
          {"floor_messages_per_s", optional(result.floor_messages_per_s)},
          {"floor_bytes_per_s", optional(result.floor_bytes_per_s)},
          {"ratio_throughput", optional(result.ratio_throughput)},
          {"blackout_ns", optional(result.blackout_ns)},
          {"change_ns", optional(result.change_ns)},
          {"false_evictions", optional(result.false_evictions)},
          {"runs", optional(result.runs)},
          {"result_hash", optional(result.result_hash)},
          {"ranks", ranks},
          {"loss_percent", result.loss_percent},
          {"ratio_p99_loss", optional(result.ratio_p99_loss)},
          {"encrypted", result.encrypted},
          {"ratio_p50_encryption", optional(result.ratio_p50_encryption)},
          {"rate", result.rate},
          {"seconds", result.seconds},
          {"as", result.as},
          {"cores", result.cores},
          {"ring_bytes", result.ring_bytes},
          {"blocks", result.blocks},
          {"notices", result.notices},
          {"not_run", result.not_run},
          {"failed", result.failed}};
}

Json write(const Comparison& comparison) {
  return {{"peer", comparison.peer},
          {"version", comparison.version},
          {"measured", comparison.measured},
          {"medium", comparison.medium},
          {"transport", comparison.transport},
          {"members", comparison.members},
          {"payload_bytes", comparison.payload_bytes},
          {"group_ns", optional(comparison.group_ns)},
          {"floor_ns", comparison.floor_ns ? write_floor(*comparison.floor_ns) : Json(nullptr)},
          {"peer_ns", optional(comparison.peer_ns)},
          {"group_curve", write(comparison.group_curve)},
          {"peer_curve", write(comparison.peer_curve)},
          {"ratio_p50", optional(comparison.ratio_p50)},
          {"turns", comparison.turns},
          {"not_run", comparison.not_run}};
}

template <class T>
void read(const Json& json, const char* key, T& value) {
  json.at(key).get_to(value);
}

template <class T>
void read(const Json& json, const char* key, std::optional<T>& value) {
  const Json& found = json.at(key);
  if (found.is_null()) {
    value.reset();
  } else {
    value = found.get<T>();
  }
}

LatencySummary read_summary(const Json& json) {
  LatencySummary summary;
  read(json, "min", summary.min);
  read(json, "p50", summary.p50);
  read(json, "p99", summary.p99);
  read(json, "count", summary.count);
  if (json.contains("p999")) {
    read(json, "p90", summary.p90);
    read(json, "p999", summary.p999);
    read(json, "max", summary.max);
  }
  return summary;
}

void read(const Json& json, const char* key, std::optional<LatencySummary>& value) {
  const Json& found = json.at(key);
  if (found.is_null()) {
    value.reset();
  } else {
    value = read_summary(found);
  }
}

std::vector<CurvePoint> read_curve(const Json& json) {
  std::vector<CurvePoint> points;
  for (const Json& point : json) points.push_back({point.at(0), point.at(1)});
  return points;
}

Machine read_machine(const Json& json) {
  Machine machine;
  read(json, "cpu", machine.cpu);
  read(json, "cores", machine.cores);
  read(json, "allowed_cpus", machine.allowed_cpus);
  read(json, "kernel", machine.kernel);
  read(json, "load_average", machine.load_average);
  read(json, "date", machine.date);
  read(json, "commit", machine.commit);
  read(json, "compiler", machine.compiler);
  return machine;
}

RankResult read_rank(const Json& json) {
  RankResult rank;
  read(json, "rank", rank.rank);
  read(json, "latency_ns", rank.latency_ns);
  read(json, "ratio_p50", rank.ratio_p50);
  read(json, "cpu_share", rank.cpu_share);
  return rank;
}

Result read_result(const Json& json) {
  Result result;
  read(json, "scenario", result.scenario);
  read(json, "transport", result.transport);
  read(json, "ordering", result.ordering);
  read(json, "members", result.members);
  read(json, "senders", result.senders);
  read(json, "payload_bytes", result.payload_bytes);
  read(json, "idle", result.idle);
  read(json, "latency_ns", result.latency_ns);
  read(json, "latency_last_ns", result.latency_last_ns);
  read(json, "floor_ns", result.floor_ns);
  result.latency_curve = read_curve(json.at("latency_curve"));
  result.floor_curve = read_curve(json.at("floor_curve"));
  read(json, "ratio_p50", result.ratio_p50);
  read(json, "messages_per_s", result.messages_per_s);
  read(json, "bytes_per_s", result.bytes_per_s);
  read(json, "floor_messages_per_s", result.floor_messages_per_s);
  read(json, "floor_bytes_per_s", result.floor_bytes_per_s);
  read(json, "ratio_throughput", result.ratio_throughput);
  read(json, "blackout_ns", result.blackout_ns);
  read(json, "change_ns", result.change_ns);
  read(json, "false_evictions", result.false_evictions);
  read(json, "runs", result.runs);
  read(json, "result_hash", result.result_hash);
  for (const Json& rank : json.at("ranks")) result.ranks.push_back(read_rank(rank));
  read(json, "loss_percent", result.loss_percent);
  read(json, "ratio_p99_loss", result.ratio_p99_loss);
  read(json, "encrypted", result.encrypted);
  read(json, "ratio_p50_encryption", result.ratio_p50_encryption);
  read(json, "rate", result.rate);
  read(json, "seconds", result.seconds);
  read(json, "as", result.as);
  read(json, "cores", result.cores);
  read(json, "ring_bytes", result.ring_bytes);
  read(json, "blocks", result.blocks);
  read(json, "notices", result.notices);
  read(json, "not_run", result.not_run);
  read(json, "failed", result.failed);
  return result;
}

Comparison read_comparison(const Json& json) {
  Comparison comparison;
  read(json, "peer", comparison.peer);
  read(json, "version", comparison.version);
  read(json, "measured", comparison.measured);
  read(json, "medium", comparison.medium);
  read(json, "transport", comparison.transport);
  read(json, "members", comparison.members);
  read(json, "payload_bytes", comparison.payload_bytes);
  read(json, "group_ns", comparison.group_ns);
  read(json, "floor_ns", comparison.floor_ns);
  read(json, "peer_ns", comparison.peer_ns);
  comparison.group_curve = read_curve(json.at("group_curve"));
  comparison.peer_curve = read_curve(json.at("peer_curve"));
  read(json, "ratio_p50", comparison.ratio_p50);
  read(json, "turns", comparison.turns);
  read(json, "not_run", comparison.not_run);
  return comparison;
}

}  // namespace

std::string to_json(const Report& report) {
  Json results = Json::array();
  for (const Result& result : report.results) results.push_back(write(result));
  Json comparisons = Json::array();
  for (const Comparison& one : report.comparisons) comparisons.push_back(write(one));
  const Json json = {{"machine", write(report.machine)},
                     {"command", report.command},
                     {"results", results},
                     {"comparisons", comparisons}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Expected<Report> from_json(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    Report report;
    report.machine = read_machine(json.at("machine"));
    read(json, "command", report.command);
    for (const Json& result : json.at("results")) report.results.push_back(read_result(result));
    for (const Json& one : json.at("comparisons")) {
      report.comparisons.push_back(read_comparison(one));
    }
    return report;
  } catch (const Json::exception& error) {
    return fail(ErrorCode::input, fmt::format("not a report of lockstep bench: {}", error.what()));
  }
}

}  // namespace lockstep::bench
