#include "tests/processes/running_group.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <span>

#include "tests/processes/group_fixture.hpp"
#include "tools/sim/view_checkers.hpp"

namespace lockstep::test {
namespace {

/// Reads the logs as the simulation's checkers want them: all that was published first, then what
/// each member saw, in its order.
sim::Violation judge(const launch::SharedArray<MemberLog>& logs, std::uint64_t leaving) {
  const auto members = static_cast<std::uint32_t>(logs.size());
  sim::ViewInvariants invariants(members);
  const auto entries_of = [&](std::uint32_t member) {
    return std::span(logs[member].entries).first(heard(logs[member].count));
  };
  for (std::uint32_t member = 0; member < members; ++member) {
    for (const LogEntry& entry : entries_of(member)) {
      if (entry.kind != LogKind::published) continue;
      invariants.published({.at_ns = entry.at_ns,
                            .member = member,
                            .id = entry.id,
                            .bytes = entry.bytes,
                            .hash = entry.hash});
    }
  }
  for (std::uint32_t member = 0; member < members; ++member) {
    if ((leaving >> member & 1U) != 0) invariants.leaves(member);
  }
  for (std::uint32_t member = 0; member < members; ++member) {
    for (const LogEntry& entry : entries_of(member)) {
      if (entry.kind == LogKind::delivered) {
        invariants.delivered(
            {.at_ns = entry.at_ns,
             .member = member,
             .sequence = entry.sequence,
             .sender = entry.sender,
             .timestamp_ns = entry.timestamp_ns,
             .bytes = entry.bytes,
             .hash = entry.hash,
             .token = entry.sender == member ? std::optional(entry.id) : std::nullopt});
      } else if (entry.kind == LogKind::installed) {
        std::vector<std::uint32_t> names;
        for (std::uint32_t one = 0; one < members; ++one) {
          if ((entry.members >> one & 1U) != 0) names.push_back(one);
        }
        invariants.installed(member, entry.sequence, names, entry.at_ns);
      } else if (entry.kind == LogKind::evicted) {
        invariants.evicted(member);
      }
    }
  }
  return invariants.violation();
}

}  // namespace

void pause_ns(std::uint64_t ns) {
  const timespec time{static_cast<time_t>(ns / kSecond), static_cast<long>(ns % kSecond)};
  nanosleep(&time, nullptr);
}

std::uint64_t mask_of(const std::vector<std::uint32_t>& members) {
  std::uint64_t mask = 0;
  for (const std::uint32_t member : members) mask |= std::uint64_t{1} << member;
  return mask;
}

void RunningGroup::start(const GroupConfig& config, const std::vector<Load>& loads,
                         const Start& start) {
  const auto count = static_cast<std::uint32_t>(config.members.size());
  auto logs = launch::SharedArray<MemberLog>::create(count);
  auto orders = launch::SharedArray<Orders>::create(1);
  ASSERT_TRUE(logs && orders);
  logs_ = std::move(*logs);
  orders_ = std::move(*orders);
  for (std::uint32_t member = 0; member < count; ++member) {
    GroupConfig own = config;
    own.self = config.members[member];
    const Load& load = loads.size() == 1 ? loads[0] : loads[member];
    if (load.leave_after != 0) leaving_ |= std::uint64_t{1} << member;
    const auto body = [&, own, load] {
      return run_logging_member(own, load, logs_[member], orders_[0]);
    };
    auto started = start ? start(member, body) : Child::start(body);
    ASSERT_TRUE(started) << started.error().message;
    members_.push_back(std::move(*started));
    expected_codes_.emplace_back(0);
  }
}

std::vector<std::uint32_t> RunningGroup::everyone() const {
  std::vector<std::uint32_t> all;
  for (std::uint32_t member = 0; member < size(); ++member) all.push_back(member);
  return all;
}

void RunningGroup::kill(std::uint32_t member) {
  members_[member].kill();
  expected_codes_[member] = 128 + SIGKILL;
}

void RunningGroup::signal(std::uint32_t member, int number) const {
  ASSERT_EQ(::kill(members_[member].pid(), number), 0);
}

void RunningGroup::expect_to_end(std::uint32_t member) {
  const auto code = members_[member].wait(30 * kSecond);
  ASSERT_TRUE(code) << member << ": " << code.error().message << "; " << state();
  EXPECT_EQ(*code, 0) << member;
  expected_codes_[member].reset();
}

bool RunningGroup::wait_until(const std::function<bool()>& done, std::uint64_t seconds) const {
  // While the machine stands still its members do, too: a look that took long counts as one.
  constexpr std::uint64_t kLongestLookNs = 100 * kMillisecond;
  std::uint64_t left_ns = seconds * kSecond;
  std::uint64_t looked_ns = clock_.now_ns();
  while (!done()) {
    const std::uint64_t now_ns = clock_.now_ns();
    const std::uint64_t took_ns = std::min(now_ns - looked_ns, kLongestLookNs);
    looked_ns = now_ns;
    if (took_ns > left_ns) {
      fmt::print(stderr, "{}\n", state());
      return false;
    }
    left_ns -= took_ns;
    pause_ns(2 * kMillisecond);
  }
  return true;
}

bool RunningGroup::wait_for_progress(const std::vector<std::uint32_t>& members,
                                     std::uint64_t messages, std::uint64_t seconds) const {
  std::vector<std::uint64_t> goals;
  for (const std::uint32_t member : everyone()) {
    goals.push_back(heard(log(member).delivered) + messages);
  }
  return wait_until(
      [&] {
        return std::ranges::all_of(members, [&](std::uint32_t member) {
          return heard(log(member).delivered) >= goals[member];
        });
      },
      seconds);
}

bool RunningGroup::wait_for_view(const std::vector<std::uint32_t>& members,
                                 std::uint64_t seconds) const {
  return wait_until(
      [&] {
        return std::ranges::all_of(members, [&](std::uint32_t member) {
          return heard(log(member).view) > 0 && log(member).view_members == mask_of(members);
        });
      },
      seconds);
}

void RunningGroup::expect_to_settle(const std::vector<std::uint32_t>& members) {
  announce(orders_[0].quiet, 1);
  EXPECT_TRUE(wait_for_view(members));
  EXPECT_TRUE(wait_until([&] {
    return std::ranges::all_of(members, [&](std::uint32_t member) {
      return std::ranges::all_of(members, [&](std::uint32_t sender) {
        return heard(log(member).delivered_of[sender]) == heard(log(sender).published);
      });
    });
  }));
  end_and_judge();
}

void RunningGroup::end_and_judge() {
  announce(orders_[0].end, 1);
  for (std::uint32_t member = 0; member < size(); ++member) {
    if (!expected_codes_[member]) continue;
    const auto code = members_[member].wait(30 * kSecond);
    ASSERT_TRUE(code) << member << ": " << code.error().message << "; " << state();
    EXPECT_EQ(*code, *expected_codes_[member]) << member;
  }
  const sim::Violation violation = judge(logs_, leaving_);
  EXPECT_FALSE(violation) << *violation;
}

std::string RunningGroup::state() const {
  std::string text;
  for (const std::uint32_t member : everyone()) {
    MemberLog& its = log(member);
    text += fmt::format(
        "member {}: view {} of {:b}, published {}, delivered {}, lost {:b} ({}), quorums lost {}, "
        "evictions {}, refusal {}\n",
        member, heard(its.view), its.view_members, heard(its.published), heard(its.delivered),
        its.last_lost, its.lost_reason.data(), its.quorums_lost, its.evictions, its.refusal);
  }
  return text;
}

}  // namespace lockstep::test
