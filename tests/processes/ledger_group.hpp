#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lockstep/config.hpp"
#include "runtime/clock.hpp"
#include "tests/partitions/child.hpp"
#include "tools/launch/shared_array.hpp"

namespace lockstep::test {

/// What one process of a LedgerGroup tells the test; still there if it is killed. One writer.
struct LedgerWords {
  std::uint64_t joined;   ///< how often Group::join succeeded
  std::uint64_t failed;   ///< how often it did not
  std::uint64_t view;     ///< announces `members`
  std::uint64_t members;  ///< a bit per place in the configuration
  std::uint64_t applied;  ///< announces `digest` and `faults`
  std::uint64_t digest;
  std::uint64_t faults;
  std::uint64_t published;  ///< by the present incarnation
  std::uint64_t own_applied;
  std::uint64_t loads;
  std::uint64_t quorums_lost;
  std::uint64_t evictions;
  std::uint64_t slow;            ///< places of who was called slow, a bit each
  std::uint64_t longest_gap_ns;  ///< between two messages applied
};

/// What the test tells a process.
struct LedgerOrders {
  std::uint64_t quiet;  ///< publish nothing more
  std::uint64_t leave;  ///< in good order
  std::uint64_t end;    ///< without leaving
};

struct LedgerOptions {
  std::size_t ballast_bytes = 0;
  std::uint64_t pace_ns = 1'000'000;  ///< between two messages of a member, at least
  bool refuses_to_load = false;
};

/// A group of processes that publish all the time, apply a Ledger, and come and go as the test
/// says. Who is evicted joins again by itself.
class LedgerGroup {
 public:
  /// How the process of a member is started: Child::start, or in a network of its own.
  using Start = std::function<Expected<Child>(std::uint32_t member, const std::function<int()>&)>;

  LedgerGroup(GroupConfig config, LedgerOptions options, Start start = {});

  /// Starts the process of a member, anew if there was one.
  void start(std::uint32_t member) { start(member, options_); }
  void start(std::uint32_t member, const LedgerOptions& options);
  /// Starts `members`, and waits until they are a group.
  [[nodiscard]] bool start_all(const std::vector<std::uint32_t>& members);
  void kill(std::uint32_t member) { processes_[member].back().kill(); }
  void signal(std::uint32_t member, int number) const;
  /// Leaves in good order and ends.
  void expect_to_leave(std::uint32_t member);
  [[nodiscard]] int wait_for_end(std::uint32_t member);

  [[nodiscard]] LedgerWords& words(std::uint32_t member) const { return words_[member]; }
  [[nodiscard]] bool wait_until(const std::function<bool()>& done,
                                std::uint64_t seconds = 40) const;
  /// Each of `members` is in a view of exactly them, has the state, and applies 50 messages more.
  [[nodiscard]] bool wait_for(const std::vector<std::uint32_t>& members) const;
  /// Publishing stops; `members` then have applied all that each published, and the same.
  void expect_to_settle(const std::vector<std::uint32_t>& members);

 private:
  [[nodiscard]] std::string state() const;

  const GroupConfig config_;
  const LedgerOptions options_;
  const Start start_;
  const runtime::TscClock clock_;
  launch::SharedArray<LedgerWords> words_;
  launch::SharedArray<LedgerOrders> orders_;
  std::vector<std::vector<Child>> processes_;  ///< by member: each one it had
};

}  // namespace lockstep::test
