#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "lockstep/lockstep.hpp"

namespace lockstep::test {

inline constexpr std::uint64_t kSecond = 1'000'000'000;

/// A group name of this test process only.
inline std::string unique_name(const char* purpose) {
  static std::atomic<int> counter{0};
  return fmt::format("{}-{}-{}", purpose, getpid(), counter.fetch_add(1));
}

/// Members m0 … m(n-1), all senders, as seen by `rank`.
inline GroupConfig group_of(std::uint32_t members, std::uint32_t rank, const std::string& name) {
  GroupConfig config;
  config.name = name;
  for (std::uint32_t i = 0; i < members; ++i) config.members.push_back(fmt::format("m{}", i));
  config.self = config.members[rank];
  config.join_timeout_ns = 20 * kSecond;
  config.ring_bytes = 1 << 16;
  return config;
}

/// Counts, and remembers the last of each event.
class Observer : public StateMachine {
 public:
  void apply(const Message& message) override {
    ++applied;
    if (on_apply) on_apply(message);
  }
  void view_installed(const View& view) override { installed = view; }
  void member_unreachable(const MemberUnreachable& event) override {
    ++losses;
    lost = event;
  }
  void quorum_lost(const View&) override { ++quorums_lost; }
  void quorum_regained(const View&) override { ++quorums_regained; }
  void evicted(const View&) override { ++evictions; }

  std::function<void(const Message&)> on_apply;
  std::uint64_t applied = 0;
  std::uint32_t losses = 0;
  View installed;
  MemberUnreachable lost;
  std::uint32_t quorums_lost = 0;
  std::uint32_t quorums_regained = 0;
  std::uint32_t evictions = 0;
};

/// The counter whose name ends so, in the file of a reactor that runs.
inline std::uint64_t counted(const std::string& file, std::string_view ending) {
  const auto readings = read_counters(file);
  for (const CounterReading& reading : readings.value()) {
    if (reading.name.ends_with(ending)) return reading.value;
  }
  ADD_FAILURE() << "no counter " << ending;
  return 0;
}

/// Turns the reactor until `done` or for `seconds`; true if done.
template <class Done>
bool turn_until(Reactor& reactor, Done done, std::uint64_t seconds = 30) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const auto deadline = now.tv_sec + static_cast<time_t>(seconds);
  while (!done()) {
    if (!reactor.poll_once()) reactor.idle(kSecond / 1'000);
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > deadline) return false;
  }
  return true;
}

}  // namespace lockstep::test
