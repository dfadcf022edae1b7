#include "bench/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "bench/adopted_processes.hpp"
#include "bench/bench.hpp"
#include "bench/blocks.hpp"
#include "bench/peer_process.hpp"
#include "bench/scratch_folder.hpp"
#include "tools/launch/partitions.hpp"

namespace lockstep::bench {
namespace {

using Network = std::shared_ptr<const launch::Partitions>;

constexpr std::uint32_t kPeerNodes = 3;
constexpr double kMostSecondsOfATurn = 20;

/// One thing that a peer's program measures.
struct Peer {
  std::string word;     ///< on the command line
  std::string program;  ///< its file
  std::string mode;     ///< a further argument; empty: none
  std::string measured;
  std::string medium;
  std::vector<std::string> transports;  ///< of the group, to be put beside it
  bool apart = false;                   ///< its nodes need networks of their own
  bool failover = false;
};

const std::vector<Peer>& all_peers() {
  static const std::vector<Peer> peers = {
      {.word = "corosync",
       .program = "lockstep_peer_corosync",
       .mode = "",
       .measured = "cpg, agreed order, to own delivery",
       .medium = "udp, between networks",
       .transports = {"tcp", "shm"},
       .apart = true},
      {.word = "zeromq",
       .program = "lockstep_peer_zeromq",
       .mode = "ping-pong",
       .measured = "two processes, no order, round trip",
       .medium = "tcp, loopback",
       .transports = {"tcp", "shm"}},
      {.word = "zeromq",
       .program = "lockstep_peer_zeromq",
       .mode = "publish",
       .measured = "publish, no order, to own copy",
       .medium = "tcp, loopback",
       .transports = {"tcp", "shm"}},
      {.word = "etcd",
       .program = "lockstep_peer_etcd",
       .mode = "",
       .measured = "put at the leader, to its answer",
       .medium = "tcp, loopback, data in memory",
       .transports = {"tcp", "shm"}},
      {.word = "etcd",
       .program = "lockstep_peer_etcd",
       .mode = "",
       .measured = "kill -9 of the leader, to a put",
       .medium = "tcp, loopback, data in memory",
       .transports = {"tcp", "shm"},
       .failover = true},
      {.word = "ib_write_lat",
       .program = "lockstep_peer_ib_write_lat",
       .mode = "",
       .measured = "RDMA writes, no order, round trip",
       .medium = "the first RDMA device",
       .transports = {"verbs"}},
  };
  return peers;
}

std::string program_folder(const ComparisonOptions& options) {
  if (!options.peers_folder.empty()) return options.peers_folder;
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path().string();
}

/// A peer and the groups beside it, turn by turn.
class Turns {
 public:
  Turns(const ComparisonOptions& options, const Peer& peer) : options_(options), peer_(peer) {}

  /// Error: of a group. What is wrong with the peer is in comparisons().
  Expected<void> run();
  [[nodiscard]] std::vector<Comparison> comparisons() const;

 private:
  struct Beside {
    std::string transport;
    launch::Histogram latency;
    launch::Histogram floor;
    std::vector<BlockPair> pairs;
  };

  Expected<void> prepare();
  Expected<std::uint64_t> peer_turn(PeerProcess& peer);
  Expected<std::uint64_t> group_turn(Beside& beside);
  Expected<std::uint64_t> kill_turn(Beside& beside);
  [[nodiscard]] Options group_options(const std::string& transport) const;
  [[nodiscard]] bool is_apart(const std::string& transport) const {
    return peer_.apart && transport != "shm";
  }

  const ComparisonOptions& options_;
  const Peer& peer_;
  std::vector<std::unique_ptr<Beside>> beside_;
  std::unique_ptr<launch::Histogram> latency_ = std::make_unique<launch::Histogram>();
  Network network_;
  std::string version_;
  std::string not_run_;
};

Expected<void> Turns::prepare() {
  if (!peer_.apart) return {};
  auto network = launch::Partitions::create(std::max(options_.members, kPeerNodes));
  if (!network) return std::unexpected(network.error());
  network_ = std::make_shared<const launch::Partitions>(std::move(*network));
  return {};
}

Expected<void> Turns::run() {
  for (const std::string& transport : peer_.transports) {
    beside_.push_back(std::make_unique<Beside>());
    beside_.back()->transport = transport;
  }
  const auto refused = [this](const Error& error) -> Expected<void> {
    not_run_ = error.message;
    return {};
  };
  // In this order, so that the process ends first, then what it started, then its folder.
  const auto folder = ScratchFolder::create();
  if (!folder) return refused(folder.error());
  const AdoptedProcesses orphans;
  if (auto prepared = prepare(); !prepared) return refused(prepared.error());
  std::vector<std::string> command = {program_folder(options_) + "/" + peer_.program,
                                      folder->path(), std::to_string(options_.payload_bytes)};
  if (!peer_.mode.empty()) command.push_back(peer_.mode);
  for (std::uint32_t node = 0; peer_.apart && node < kPeerNodes; ++node) {
    command.push_back(
        fmt::format("{}={}", network_->network_of(node).path(), network_->address(node)));
  }
  auto process = PeerProcess::start(command, folder->path() + "/complaints",
                                    options_.answer_seconds * 1'000'000'000);
  if (!process) return refused(process.error());
  version_ = process->version();
  const std::uint64_t turns = peer_.failover ? options_.kills : options_.turns;
  for (std::uint64_t turn = 0; turn < turns; ++turn) {
    const auto theirs = peer_turn(*process);
    if (!theirs) return refused(theirs.error());
    for (const auto& beside : beside_) {
      const auto ours = peer_.failover ? kill_turn(*beside) : group_turn(*beside);
      if (!ours) return std::unexpected(ours.error());
      beside->pairs.push_back({static_cast<double>(*ours), static_cast<double>(*theirs)});
    }
  }
  return {};
}

Expected<std::uint64_t> Turns::peer_turn(PeerProcess& peer) {
  const std::uint64_t timeout_ns = options_.answer_seconds * 1'000'000'000;
  if (peer_.failover) {
    auto blackout_ns = peer.fail_over(timeout_ns);
    if (blackout_ns) latency_->record(*blackout_ns);
    return blackout_ns;
  }
  const auto durations = peer.measure(options_.samples, timeout_ns);
  if (!durations) return std::unexpected(durations.error());
  const auto turn = std::make_unique<launch::Histogram>();
  for (const std::uint64_t ns : *durations) turn->record(ns);
  latency_->merge(*turn);
  return turn->percentile(50);
}

Options Turns::group_options(const std::string& transport) const {
  Options options;
  options.members = options_.members;
  options.senders = "1";
  options.payload_bytes = options_.payload_bytes;
  options.idle = options_.idle;
  options.transport = transport;
  options.seconds = kMostSecondsOfATurn;
  options.samples = options_.samples;
  options.apart = is_apart(transport);
  return options;
}

Expected<std::uint64_t> Turns::group_turn(Beside& beside) {
  const Network network = is_apart(beside.transport) ? network_ : nullptr;
  const auto run = measure_latency(group_options(beside.transport), network);
  if (!run) return std::unexpected(run.error());
  beside.latency.merge(*run->latency);
  beside.floor.merge(*run->floor);
  return run->latency->percentile(50);
}

Expected<std::uint64_t> Turns::kill_turn(Beside& beside) {
  Options options = group_options(beside.transport);
  options.scenario = Scenario::failover;
  options.senders = "all";
  options.runs = 1;
  const auto run = measure(options);
  if (!run) return std::unexpected(run.error());
  beside.latency.record(run->blackout_ns->p50);
  beside.floor.record(run->floor_ns->p50);
  return run->blackout_ns->p50;
}

std::vector<Comparison> Turns::comparisons() const {
  std::vector<Comparison> all;
  for (const auto& beside : beside_) {
    Comparison one;
    one.peer = peer_.word;
    one.version = version_;
    one.measured = peer_.measured;
    one.medium = peer_.medium;
    one.transport = beside->transport + (is_apart(beside->transport) ? ", apart" : "");
    one.members = options_.members;
    one.payload_bytes = options_.payload_bytes;
    one.turns = beside->pairs.size();
    one.not_run = not_run_;
    if (not_run_.empty()) {
      one.group_ns = summarize(beside->latency);
      one.floor_ns = summarize(beside->floor);
      one.peer_ns = summarize(*latency_);
      one.group_curve = curve(beside->latency);
      one.peer_curve = curve(*latency_);
      one.ratio_p50 = median_ratio(beside->pairs);
    }
    all.push_back(std::move(one));
    if (!not_run_.empty()) break;
  }
  return all;
}

}  // namespace

const std::vector<std::string>& peer_words() {
  static const std::vector<std::string> words = [] {
    std::vector<std::string> names;
    for (const Peer& peer : all_peers()) {
      if (names.empty() || names.back() != peer.word) names.push_back(peer.word);
    }
    return names;
  }();
  return words;
}

Expected<void> check(const ComparisonOptions& options) {
  const auto refuse = [](std::string message) -> Expected<void> {
    return fail(ErrorCode::invalid_argument, std::move(message));
  };
  for (const std::string& word : options.peers) {
    if (word.empty()) continue;  // "--compare" alone
    if (std::ranges::find(peer_words(), word) != peer_words().end()) continue;
    return refuse(fmt::format("--compare {}: is none of {}", word, fmt::join(peer_words(), ", ")));
  }
  if (options.turns < 1 || options.turns > 1'000) {
    return refuse(fmt::format("--turns {}: must be 1 to 1000", options.turns));
  }
  if (options.samples < 10 || options.samples > 1'000'000) {
    return refuse(fmt::format("--turn-samples {}: must be 10 to 1000000", options.samples));
  }
  if (options.answer_seconds < 1 || options.answer_seconds > 3'600) {
    return refuse(fmt::format("--answer-seconds {}: must be 1 to 3600", options.answer_seconds));
  }
  return {};
}

Expected<std::vector<Comparison>> compare(const ComparisonOptions& options,
                                          const std::function<void(const Comparison&)>& told) {
  if (auto checked = check(options); !checked) return std::unexpected(checked.error());
  std::vector<Comparison> all;
  for (const Peer& peer : all_peers()) {
    const auto names = [&](const std::string& word) { return word.empty() || word == peer.word; };
    const bool wanted = options.peers.empty() || std::ranges::any_of(options.peers, names);
    if (!wanted) continue;
    Turns turns(options, peer);
    if (auto done = turns.run(); !done) return std::unexpected(done.error());
    for (Comparison& one : turns.comparisons()) {
      told(one);
      all.push_back(std::move(one));
    }
  }
  return all;
}

}  // namespace lockstep::bench
