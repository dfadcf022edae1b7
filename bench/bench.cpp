#include "bench/bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "bench/blocks.hpp"
#include "bench/bodies.hpp"
#include "bench/failover.hpp"
#include "bench/machine.hpp"
#include "bench/price.hpp"
#include "bench/scenes.hpp"
#include "bench/session.hpp"

namespace lockstep::bench {
namespace {

/// Everybody must have applied the same messages, in the same order, with the same contents.
Expected<std::string> agreed_hash(const Session& session) {
  const std::uint32_t members = session.plan.options.members;
  const MemberRecord& first = session.records[0];
  for (std::uint32_t rank = 1; rank < members; ++rank) {
    const MemberRecord& other = session.records[rank];
    if (other.hash == first.hash && other.applied == first.applied) continue;
    return fail(ErrorCode::mismatch,
                fmt::format("the members did not deliver the same: rank 0 {} messages with hash "
                            "{:016x}, rank {} {} with {:016x}",
                            first.applied, first.hash, rank, other.applied, other.hash));
  }
  return fmt::format("{:016x}", first.hash);
}

/// The block pairs of one rank's messages.
std::vector<BlockPair> block_pairs(const Session& session, std::uint32_t rank) {
  const std::uint64_t members = session.plan.options.members;
  const std::uint64_t end = std::min(kMostBlocks, Rounds::kWarmUpBlocks + session.totals[0].blocks);
  std::vector<BlockPair> pairs;
  for (std::uint64_t block = 0; block < end; ++block) {
    const BlockPair pair{session.block_subjects[block * members + rank],
                         session.block_floors[block]};
    if (pair.subject > 0 && pair.floor > 0) pairs.push_back(pair);
  }
  return pairs;
}

double per_second(std::uint64_t count, std::uint64_t duration_ns) {
  return duration_ns == 0 ? 0 : static_cast<double>(count) * 1e9 / static_cast<double>(duration_ns);
}

/// What was asked for.
void describe(const Plan& plan, Result& result) {
  const Options& options = plan.options;
  result.scenario = to_string(options.scenario);
  // "auto" picks shared memory for members on one host, and all of these are.
  result.transport = options.transport == "auto" ? "shm" : options.transport;
  result.ordering = "round_robin";
  result.members = options.members;
  result.senders = plan.senders;
  result.payload_bytes = options.payload_bytes;
  result.rate = options.rate;
  result.loss_percent = options.loss_percent;
  result.encrypted = options.encryption == "always";
  result.seconds = options.seconds;
  result.as = options.as == launch::As::processes ? "processes" : "threads";
  result.cores = plan.cores;
  result.ring_bytes = options.ring_bytes;
}

Result describe(const Session& session) {
  const Options& options = session.plan.options;
  Result result;
  describe(session.plan, result);
  result.blocks = session.totals[0].blocks;
  if (options.scenario == Scenario::floor) {
    const bool network = options.transport != "auto" && options.transport != "shm";
    result.transport = "raw " + (network ? options.transport : "shared memory");
    result.ordering = "none";
    result.idle = session.floor_gives_way() ? "yield" : "spin";
    return result;
  }
  result.idle = to_string(static_cast<IdlePolicy>(session.records[0].idle));
  return result;
}

void add_notices(const Session& session, Result& result) {
  if (const std::uint64_t cut = session.totals[0].cut_blocks; cut > 0) {
    result.notices.push_back(
        fmt::format("{} floor blocks were cut short: too few CPUs for their two members", cut));
  }
  if (session.network != nullptr) {
    result.notices.emplace_back(
        "members are in network namespaces of their own, joined by a switch; the floor is on "
        "loopback");
  }
  // Most notices are about the host, the same at every rank.
  std::map<std::string, std::vector<std::uint32_t>> ranks_of;
  for (std::uint32_t rank = 0; rank < result.members; ++rank) {
    std::istringstream lines(session.records[rank].notices.data());
    for (std::string line; std::getline(lines, line);) ranks_of[line].push_back(rank);
  }
  for (const auto& [line, ranks] : ranks_of) {
    result.notices.push_back(ranks.size() == result.members
                                 ? fmt::format("every rank: {}", line)
                                 : fmt::format("rank {}: {}", fmt::join(ranks, ", "), line));
  }
}

void add_rates(const Session& session, Result& result) {
  const Totals& totals = session.totals[0];
  const auto bytes = static_cast<double>(result.payload_bytes);
  if (totals.subject_ns > 0) {
    result.messages_per_s = per_second(totals.messages, totals.subject_ns);
    result.bytes_per_s = *result.messages_per_s * bytes;
  }
  if (totals.floor_stream_ns > 0) {
    result.floor_messages_per_s = per_second(totals.floor_messages, totals.floor_stream_ns);
    result.floor_bytes_per_s = *result.floor_messages_per_s * bytes;
  }
}

void add_latency(const Session& session, Result& result) {
  launch::Histogram all;
  std::vector<BlockPair> all_pairs;
  for (std::uint32_t rank = 0; rank < session.plan.senders; ++rank) {
    const std::vector<BlockPair> pairs = block_pairs(session, rank);
    const launch::Histogram& latency = session.records[rank].latency;
    all.merge(latency);
    all_pairs.insert(all_pairs.end(), pairs.begin(), pairs.end());
    RankResult own;
    own.rank = rank;
    if (latency.count() > 0) own.latency_ns = summarize(latency);
    own.ratio_p50 = median_ratio(pairs);
    result.ranks.push_back(own);
  }
  if (all.count() > 0) result.latency_ns = summarize(all);
  result.latency_curve = curve(all);
  const launch::Histogram last = LatencyScene::stamps(session).to_last(session.plan.senders);
  if (last.count() > 0) result.latency_last_ns = summarize(last);
  result.ratio_p50 = median_ratio(all_pairs);
  result.blocks = all_pairs.size();
}

/// The median block stands for the rate as well: one lost time slice lasts as long as several
/// blocks, and says nothing about the group.
void add_throughput(const Session& session, Result& result) {
  const std::vector<BlockPair> pairs = block_pairs(session, 0);
  std::vector<double> subjects;
  std::vector<double> floors;
  for (const BlockPair& pair : pairs) {
    subjects.push_back(pair.subject * 1e9);
    floors.push_back(pair.floor * 1e9);
  }
  const auto bytes = static_cast<double>(result.payload_bytes);
  result.ratio_throughput = median_ratio(pairs);
  result.blocks = pairs.size();
  if (pairs.empty()) return;
  result.messages_per_s = median(std::move(subjects));
  result.bytes_per_s = *result.messages_per_s * bytes;
  result.floor_messages_per_s = median(std::move(floors));
  result.floor_bytes_per_s = *result.floor_messages_per_s * bytes;
}

void add_shares(const Session& session, Result& result) {
  for (std::uint32_t rank = 0; rank < result.members; ++rank) {
    RankResult own;
    own.rank = rank;
    own.cpu_share = static_cast<double>(session.records[rank].cpu_share_ppb) / 1e9;
    result.ranks.push_back(own);
  }
}

Expected<Result> assemble(const Session& session) {
  Result result = describe(session);
  const Scenario scenario = session.plan.options.scenario;
  if (scenario != Scenario::floor) {
    auto hash = agreed_hash(session);
    if (!hash) return std::unexpected(hash.error());
    if (scenario != Scenario::idle) result.result_hash = std::move(*hash);
  }
  if (session.totals[0].floor.count() > 0) result.floor_ns = summarize(session.totals[0].floor);
  result.floor_curve = curve(session.totals[0].floor);
  add_rates(session, result);
  if (scenario == Scenario::latency) add_latency(session, result);
  if (scenario == Scenario::idle) add_shares(session, result);
  if (scenario == Scenario::throughput) add_throughput(session, result);
  add_notices(session, result);
  return result;
}

/// Null where members need none.
Expected<std::shared_ptr<const launch::Partitions>> network_of(const Options& options) {
  if (!options.apart) return nullptr;
  auto network = launch::Partitions::create(options.members);
  if (!network) return std::unexpected(network.error());
  return std::make_shared<const launch::Partitions>(std::move(*network));
}

Expected<void> run_scenario(const std::shared_ptr<Session>& session) {
  const auto body = [&] {
    switch (session->plan.options.scenario) {
      case Scenario::floor:
        return floor_body;
      case Scenario::idle:
        return idle_body;
      default:
        return group_body;
    }
  }();
  return run_members(session, session->plan.options.members,
                     [session, body](std::uint32_t rank) { return body(*session, rank); });
}

}  // namespace

Expected<Result> measure(const Options& options) {
  auto plan = make_plan(options, find_cpus());
  if (!plan) return std::unexpected(plan.error());
  if (options.scenario == Scenario::failover) {
    auto result = run_failover(*plan);
    if (result) describe(*plan, *result);
    return result;
  }
  auto network = network_of(options);
  if (!network) return std::unexpected(network.error());
  auto session = make_session(*plan, std::move(*network));
  if (!session) return std::unexpected(session.error());
  if (auto done = run_scenario(*session); !done) return std::unexpected(done.error());
  return assemble(**session);
}

Expected<Measured> measure_latency(const Options& options,
                                   std::shared_ptr<const launch::Partitions> network) {
  auto plan = make_plan(options, find_cpus());
  if (!plan) return std::unexpected(plan.error());
  auto session = make_session(*plan, std::move(network));
  if (!session) return std::unexpected(session.error());
  if (auto done = run_scenario(*session); !done) return std::unexpected(done.error());
  auto result = assemble(**session);
  if (!result) return std::unexpected(result.error());
  Measured measured{.result = std::move(*result),
                    .latency = std::make_unique<launch::Histogram>(),
                    .floor = std::make_unique<launch::Histogram>()};
  for (const MemberRecord& record : (*session)->records.elements()) {
    measured.latency->merge(record.latency);
  }
  measured.floor->merge((*session)->totals[0].floor);
  return measured;
}

Result unmeasured(const Options& options, const Error& error) {
  Result result;
  describe(Plan{options, options.members, {}, {-1, -1}, {}}, result);
  result.not_run = error.message;
  result.failed = error.code == ErrorCode::member_lost || error.code == ErrorCode::mismatch ||
                  error.code == ErrorCode::timed_out || error.code == ErrorCode::member_absent;
  return result;
}

Expected<Report> run(const Options& options) {
  Report report{.machine = describe_machine(), .command = {}, .results = {}};
  const bool prices_encryption =
      options.scenario == Scenario::latency && options.encryption == "always";
  if (options.loss_percent > 0 || prices_encryption) {
    auto results = options.loss_percent > 0 ? run_loss(options) : run_encryption(options);
    if (!results) return std::unexpected(results.error());
    report.results = std::move(*results);
    return report;
  }
  auto result = measure(options);
  if (!result) return std::unexpected(result.error());
  report.results.push_back(std::move(*result));
  return report;
}

}  // namespace lockstep::bench
