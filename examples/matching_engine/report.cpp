#include "examples/matching_engine/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ranges>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "examples/matching_engine/digest.hpp"

namespace lockstep::examples {
namespace {

using Json = nlohmann::ordered_json;

/// "91 997": thousands apart, for people.
std::string grouped(std::uint64_t number) {
  const std::string digits = fmt::format("{}", number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) text.push_back(' ');
    text.push_back(digits[i]);
  }
  return text;
}

/// "7.3 µs": three digits or so in a fitting unit.
std::string duration(std::uint64_t ns) {
  const auto value = static_cast<double>(ns);
  if (ns < 1'000) return fmt::format("{} ns", ns);
  if (ns < 1'000'000) return fmt::format("{:.3g} µs", value / 1e3);
  if (ns < 1'000'000'000) return fmt::format("{:.3g} ms", value / 1e6);
  return fmt::format("{:.3f} s", value / 1e9);
}

double per_second(std::uint64_t count, std::uint64_t ns) {
  return ns == 0 ? 0.0 : static_cast<double>(count) * 1e9 / static_cast<double>(ns);
}

std::string header_row() {
  return fmt::format("  {:<12} {:<16}  {:<9} {:>10} {:>10} {:>9} {:>8} {:>8} {:>8}\n", "", "digest",
                     "", "orders", "events", "fills", "unknown", "rejected", "resting");
}

std::string row(const std::string& who, const char* verdict, const MemberResult& result) {
  const EngineCounts& counts = result.counts;
  return fmt::format("  {:<12} {:<16}  {:<9} {:>10} {:>10} {:>9} {:>8} {:>8} {:>8}\n", who,
                     to_hex(result.digest), verdict, grouped(counts.orders), grouped(counts.events),
                     grouped(counts.fills), grouped(counts.unknown_ids), grouped(counts.rejected),
                     grouped(result.resting_orders));
}

std::string figures(const char* what, const MemberResult& result, const char* from) {
  const launch::Histogram& latency = result.latency;
  return fmt::format(
      "{}: {} orders/s, {} in all\n"
      "  {}: mean {}, p50 {}, p99 {}, p99.9 {}, max {}\n",
      what, grouped(static_cast<std::uint64_t>(per_second(result.counts.orders, result.wall_ns))),
      duration(result.wall_ns), from, duration(static_cast<std::uint64_t>(latency.mean())),
      duration(latency.percentile(50)), duration(latency.percentile(99)),
      duration(latency.percentile(99.9)), duration(latency.max()));
}

Json json_of(const MemberResult& result) {
  const EngineCounts& counts = result.counts;
  return {{"finished", result.finished},
          {"digest", to_hex(result.digest)},
          {"orders", counts.orders},
          {"events", counts.events},
          {"fills", counts.fills},
          {"unknown_ids", counts.unknown_ids},
          {"unknown_executions", counts.unknown_executions},
          {"trade_prints", counts.trade_prints},
          {"rejected", counts.rejected},
          {"malformed", counts.malformed},
          {"resting_orders", result.resting_orders}};
}

Json json_of(const Failover& failover) {
  return {{"victim", failover.victim},
          {"blackout_ns", failover.blackout_ns},
          {"longest_gap_ns", failover.longest_gap_ns},
          {"change_ns", failover.change_ns},
          {"back_ns", failover.back_ns},
          {"orders_got", failover.orders_got}};
}

Json timing_of(const MemberResult& result) {
  const launch::Histogram& latency = result.latency;
  return {{"wall_ns", result.wall_ns},
          {"orders_per_s", per_second(result.counts.orders, result.wall_ns)},
          {"latency_ns",
           {{"min", latency.min()},
            {"mean", latency.mean()},
            {"p50", latency.percentile(50)},
            {"p90", latency.percentile(90)},
            {"p99", latency.percentile(99)},
            {"p999", latency.percentile(99.9)},
            {"max", latency.max()},
            {"count", latency.count()}}}};
}

std::string pace_in_words(const Options& options) {
  if (options.speed_up == 0) return "as fast as it goes";
  return fmt::format("paced, {} times as fast as it was", options.speed_up);
}

std::string source_in_words(const Options& options) {
  if (!options.input.empty()) return options.input;
  return fmt::format("the generator (seed {})", options.seed);
}

const char* as_in_words(launch::As as) {
  return as == launch::As::processes ? "processes" : "threads";
}

}  // namespace

bool Report::good() const {
  if (!alone_.finished || (options_.kill && !failover_)) return false;
  return std::ranges::all_of(ends_, &launch::MemberEnd::good) &&
         std::ranges::all_of(members_, [&](const MemberResult& result) {
           return result.finished && result.digest == alone_.digest &&
                  result.counts == alone_.counts;
         });
}

std::string Report::table() const {
  std::string text = fmt::format("{} orders from {}, {}\n", grouped(summary_.orders),
                                 source_in_words(options_), pace_in_words(options_));
  if (!replicated()) return text + table_alone();
  text += fmt::format("{} members as {}", members_.size(), as_in_words(options_.as));
  if (members_[0].idle[0] != '\0') text += fmt::format(", idle policy {}", members_[0].idle.data());
  text += '\n';
  text += notices();
  text += header_row();
  for (std::size_t rank = 0; rank < members_.size(); ++rank) {
    const MemberResult& result = members_[rank];
    const std::string who = fmt::format("rank {}", rank);
    if (result.finished) {
      text += row(who, result.digest == alone_.digest ? "equal" : "DIFFERENT", result);
      continue;
    }
    const char* complaint = result.complaint.data();
    text += fmt::format("  {:<12} FAILED: {}\n", who,
                        *complaint != '\0' ? complaint : ends_[rank].words.c_str());
  }
  text += row("alone", "reference", alone_);
  if (options_.kill) text += table_of_failover();
  if (!members_[0].finished) return text;
  const bool paced = options_.speed_up != 0;
  text += figures("replicated", members_[0],
                  paced ? "due to own ordered, stable apply at rank 0"
                        : "publish to own ordered, stable apply at rank 0");
  return text + figures("one engine, no group", alone_, "time per order");
}

std::string Report::table_of_failover() const {
  if (!failover_) {
    return fmt::format("  rank {} was to be killed and to come back: that did not happen\n",
                       *options_.kill);
  }
  return fmt::format(
      "rank {} killed mid-run and started again, from the kill on:\n"
      "  blackout {} to the first order in the next view at the last survivor\n"
      "  (longest gap between two orders {}; the change itself, unreachable to installed, {})\n"
      "  back after {}, with the state of {} orders; it applied the other {} itself\n",
      failover_->victim, duration(failover_->blackout_ns), duration(failover_->longest_gap_ns),
      duration(failover_->change_ns), duration(failover_->back_ns), grouped(failover_->orders_got),
      grouped(summary_.orders - failover_->orders_got));
}

std::string Report::table_alone() const {
  return header_row() + row("alone", "", alone_) +
         figures("one engine, no group", alone_,
                 options_.speed_up == 0 ? "time per order" : "due to applied");
}

/// Each notice once, with the ranks that have it: mostly they all have the same.
std::string Report::notices() const {
  std::vector<std::pair<std::string_view, std::string>> ranks_by_notice;
  for (std::size_t rank = 0; rank < members_.size(); ++rank) {
    for (const auto line :
         std::views::split(std::string_view(members_[rank].notices.data()), '\n')) {
      const std::string_view notice(line.begin(), line.end());
      auto known =
          std::ranges::find(ranks_by_notice, notice, [](const auto& one) { return one.first; });
      if (known == ranks_by_notice.end()) {
        ranks_by_notice.emplace_back(notice, fmt::format("{}", rank));
      } else {
        known->second += fmt::format(", {}", rank);
      }
    }
  }
  std::string text;
  for (const auto& [notice, ranks] : ranks_by_notice) {
    text += fmt::format("  note from rank {}: {}\n", ranks, notice);
  }
  return text;
}

std::string Report::json() const {
  Json ranks = Json::array();
  for (std::size_t rank = 0; rank < members_.size(); ++rank) {
    Json one = json_of(members_[rank]);
    one["rank"] = rank;
    one["ending"] = ends_[rank].words;
    one["notices"] = members_[rank].notices.data();
    one["complaint"] = members_[rank].complaint.data();
    ranks.push_back(std::move(one));
  }
  Json whole = {{"input", options_.input},
                {"seed", options_.seed},
                {"orders", summary_.orders},
                {"speed_up", options_.speed_up},
                {"members", options_.members},
                {"as", as_in_words(options_.as)},
                {"transport", replicated() ? options_.config.group.transport : "none"},
                {"idle", replicated() ? members_[0].idle.data() : "none"},
                {"good", good()},
                {"alone", json_of(alone_)},
                {"ranks", std::move(ranks)},
                {"timing", timing_of(replicated() ? members_[0] : alone_)},
                {"timing_alone", timing_of(alone_)}};
  if (failover_) whole["failover"] = json_of(*failover_);
  return whole.dump(2) + "\n";
}

}  // namespace lockstep::examples
