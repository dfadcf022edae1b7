#include "bench/price.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "bench/bench.hpp"
#include "bench/blocks.hpp"
#include "bench/machine.hpp"
#include "bench/merged_latency.hpp"
#include "tools/launch/partitions.hpp"

namespace lockstep::bench {
namespace {

constexpr std::uint32_t kTurns = 4;

/// What one turn is measured with, of the plain kind or of the dear one.
using MakeTurn = std::function<Expected<Options>(bool dear)>;

struct Price {
  std::vector<Result> results;  ///< plain, dear
  std::optional<double> ratio;  ///< median of the turns' quotients at `percent`
};

Expected<Price> take_turns(const Options& options, const MakeTurn& make_turn, double percent,
                           const std::shared_ptr<launch::Partitions>& network) {
  MergedLatency merged[2];
  std::vector<BlockPair> pairs;
  for (std::uint32_t i = 0; i < kTurns; ++i) {
    BlockPair pair;
    for (const bool dear : {false, true}) {
      auto turn = make_turn(dear);
      if (!turn) return std::unexpected(turn.error());
      turn->seconds = options.seconds / 2 / kTurns;
      auto run = measure_latency(*turn, network);
      if (!run) return std::unexpected(run.error());
      merged[dear].add(*run);
      (dear ? pair.subject : pair.floor) = static_cast<double>(run->latency->percentile(percent));
    }
    pairs.push_back(pair);
  }
  Price price{.results = {merged[false].result(), merged[true].result()},
              .ratio = median_ratio(pairs)};
  for (Result& result : price.results) result.seconds = options.seconds / 2;
  return price;
}

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
  const auto turn = [&](bool lossy) -> Expected<Options> {
    Options own = options;
    own.apart = true;
    own.loss_percent = lossy ? options.loss_percent : 0;
    if (auto done = lose(*network, own.loss_percent); !done) return std::unexpected(done.error());
    return own;
  };
  auto price = take_turns(options, turn, 99, network);
  if (!price) return std::unexpected(price.error());
  price->results[1].ratio_p99_loss = price->ratio;
  return std::move(price->results);
}

Expected<std::vector<Result>> run_encryption(const Options& options) {
  const auto turn = [&](bool sealed) -> Expected<Options> {
    Options own = options;
    if (!sealed) own.encryption = "never";
    return own;
  };
  auto price = take_turns(options, turn, 50, nullptr);
  if (!price) return std::unexpected(price.error());
  price->results[1].ratio_p50_encryption = price->ratio;
  return std::move(price->results);
}

}  // namespace lockstep::bench
