#pragma once

#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/config.hpp"
#include "lockstep/error.hpp"
#include "runtime/clock.hpp"
#include "tests/partitions/child.hpp"
#include "tests/processes/member_log.hpp"
#include "tools/launch/shared_array.hpp"

namespace lockstep::test {

/// A group whose members are processes that publish all the time and log what they see, for tests
/// that do things to them. At the end the checkers of the simulation judge the logs.
class RunningGroup {
 public:
  /// How the process of a member is started: Child::start, or in a network of its own.
  using Start = std::function<Expected<Child>(std::uint32_t member, const std::function<int()>&)>;

  /// Starts all members that `config` names; `loads` holds one for all, or one each.
  void start(const GroupConfig& config, const std::vector<Load>& loads, const Start& start = {});

  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(members_.size()); }
  [[nodiscard]] MemberLog& log(std::uint32_t member) const { return logs_[member]; }
  [[nodiscard]] std::vector<std::uint32_t> everyone() const;

  void kill(std::uint32_t member);
  void signal(std::uint32_t member, int number) const;
  /// Waits for the end of a member that leaves by itself; expects it to be in good order.
  void expect_to_end(std::uint32_t member);

  /// Waits until `done`, or for `seconds`; true if done.
  [[nodiscard]] bool wait_until(const std::function<bool()>& done,
                                std::uint64_t seconds = 30) const;
  /// Until each of `members` has delivered this many messages more than now.
  [[nodiscard]] bool wait_for_progress(const std::vector<std::uint32_t>& members,
                                       std::uint64_t messages, std::uint64_t seconds = 30) const;
  /// Until each of `members` is in a view of exactly them.
  [[nodiscard]] bool wait_for_view(const std::vector<std::uint32_t>& members,
                                   std::uint64_t seconds = 30) const;

  /// Publishing stops; each of `members` delivers all that any of them published, in a view of
  /// exactly them; then all end, and the invariants hold over all logs.
  void expect_to_settle(const std::vector<std::uint32_t>& members);
  /// As the end of that, for groups that need not settle.
  void end_and_judge();

 private:
  [[nodiscard]] std::string state() const;

  runtime::TscClock clock_;
  launch::SharedArray<MemberLog> logs_;
  launch::SharedArray<Orders> orders_;
  std::uint64_t leaving_ = 0;                       ///< a bit per member that leaves by itself
  std::vector<std::optional<int>> expected_codes_;  ///< by member; nothing: it has been waited for
  std::vector<Child> members_;                      ///< after what they use: they end first
};

void pause_ns(std::uint64_t ns);

/// The bits of `members`.
std::uint64_t mask_of(const std::vector<std::uint32_t>& members);

}  // namespace lockstep::test
