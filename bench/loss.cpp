#include "bench/loss.hpp"

#include <memory>

#include "bench/bench.hpp"
#include "bench/blocks.hpp"
#include "bench/machine.hpp"
#include "bench/merged_latency.hpp"
#include "tools/launch/partitions.hpp"

namespace lockstep::bench {
namespace {

constexpr std::uint32_t kTurns = 4;

Expected<void> lose(launch::Partitions& network, std::uint32_t percent) {
  for (std::uint32_t from = 0; from < network.members(); ++from) {
    for (std::uint32_t to = 0; to < network.members(); ++to) {
      if (from == to) continue;
      if (auto done = network.lose(from, to, percent); !done) return done;
    }
  }
  return {};
}

}  // namespace

Expected<std::vector<Result>> run_loss(const Options& options) {
  // Refused before a network is made for it.
  if (auto plan = make_plan(options, find_cpus()); !plan) return std::unexpected(plan.error());
  auto made = launch::Partitions::create(options.members);
  if (!made) return std::unexpected(made.error());
  const auto network = std::make_shared<launch::Partitions>(std::move(*made));
  Options turn = options;
  turn.apart = true;
  turn.seconds = options.seconds / 2 / kTurns;
  MergedLatency merged[2];
  std::vector<BlockPair> pairs;
  for (std::uint32_t i = 0; i < kTurns; ++i) {
    BlockPair pair;
    for (const bool lossy : {false, true}) {
      turn.loss_percent = lossy ? options.loss_percent : 0;
      if (auto done = lose(*network, turn.loss_percent); !done) {
        return std::unexpected(done.error());
      }
      auto run = measure_latency(turn, network);
      if (!run) return std::unexpected(run.error());
      merged[lossy].add(*run);
      (lossy ? pair.subject : pair.floor) = static_cast<double>(run->latency->percentile(99));
    }
    pairs.push_back(pair);
  }
  std::vector<Result> results{merged[false].result(), merged[true].result()};
  results[1].ratio_p99_loss = median_ratio(pairs);
  for (Result& result : results) result.seconds = options.seconds / 2;
  return results;
}

}  // namespace lockstep::bench
