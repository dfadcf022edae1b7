#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "lockstep/config.hpp"

// What a member tells its test while it runs; still there if it is killed. Members are numbered by
// their places in the configuration, whatever rank a view gives them.

namespace lockstep::test {

inline constexpr std::uint32_t kMostMembers = 5;
inline constexpr std::uint64_t kMostEntries = 1 << 18;  ///< of one member
inline constexpr std::uint64_t kMillisecond = 1'000'000;

enum class LogKind : std::uint32_t { published, delivered, installed, evicted };

/// One thing that a member did or saw, in the order in which it did.
struct LogEntry {
  std::uint64_t at_ns = 0;  ///< monotonic
  LogKind kind = LogKind::published;
  std::uint32_t sender = 0;        ///< delivered: whose message
  std::uint64_t id = 0;            ///< published, delivered own: which of its sender's messages
  std::uint64_t sequence = 0;      ///< delivered; installed: the view's id
  std::uint64_t members = 0;       ///< installed: a bit per member
  std::uint64_t timestamp_ns = 0;  ///< delivered
  std::uint64_t bytes = 0;         ///< published, delivered
  std::uint64_t hash = 0;          ///< published, delivered: of the payload
};

/// Words that announce what was written before them are stored with release and loaded with
/// acquire. One writer, the member.
struct MemberLog {
  std::uint64_t count;  ///< announces `entries`
  std::uint64_t published;
  std::uint64_t delivered;
  std::array<std::uint64_t, kMostMembers> delivered_of;
  std::uint64_t view;  ///< announces `view_members`
  std::uint64_t view_members;
  std::uint64_t installed_ns;  ///< when the newest view was installed
  std::uint64_t evictions;
  std::uint64_t quorums_lost;
  std::uint64_t quorums_regained;
  std::uint64_t refusal;    ///< 1 + the Outcome of the last claim; 0: it was granted
  std::uint64_t losses;     ///< announces `lost`, `lost_name` and `lost_reason`, the first loss
  std::uint64_t last_lost;  ///< a bit per member that was ever reported
  std::uint64_t lost;
  std::array<char, 16> lost_name;
  std::array<char, 64> lost_reason;
  std::array<LogEntry, kMostEntries> entries;
};

/// What the test tells all members.
struct Orders {
  std::uint64_t quiet;  ///< publish nothing more
  std::uint64_t end;    ///< end without leaving
};

inline void announce(std::uint64_t& word, std::uint64_t value) {
  std::atomic_ref(word).store(value, std::memory_order_release);
}

inline std::uint64_t heard(std::uint64_t& word) {
  return std::atomic_ref(word).load(std::memory_order_acquire);
}

/// What every member of a test does: it publishes, one message each `pace_ns` at most.
struct Load {
  std::uint64_t messages = ~std::uint64_t{0};
  std::uint64_t pace_ns = 0;
  /// When it asks to leave, counted in messages delivered; with 0 it never does.
  std::uint64_t leave_after = 0;
};

/// Joins, publishes and logs until it is told to end, was evicted and then told so, or has left.
/// Returns the exit code of its process: 0 if all went as it was told.
int run_logging_member(const GroupConfig& config, const Load& load, MemberLog& log, Orders& orders);

}  // namespace lockstep::test
