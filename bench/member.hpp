#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/payload.hpp"
#include "bench/session.hpp"
#include "bench/stamps.hpp"
#include "lockstep/lockstep.hpp"

namespace lockstep::bench {

/// What the benchmark applies: reads every payload whole, hashes the order, and takes the time of
/// its own messages, whose token is when they were due.
class Consumer final : public StateMachine {
 public:
  Consumer(const runtime::TscClock& clock, std::uint32_t members) noexcept
      : clock_(clock), by_sender_(members) {}

  void apply(const Message& message) override;
  void member_unreachable(const MemberUnreachable& lost) override;

  /// Times own messages from now on, into `histogram`; nullptr: no longer.
  void time_own(launch::Histogram* histogram) noexcept { own_latency_ = histogram; }
  void stamp(Stamps stamps, std::uint32_t rank) noexcept {
    stamps_ = stamps;
    rank_ = rank;
  }

  [[nodiscard]] std::uint64_t applied() const noexcept { return applied_; }
  [[nodiscard]] std::uint64_t own_applied() const noexcept { return own_applied_; }
  [[nodiscard]] std::uint64_t hash() const noexcept { return digest_.value(); }
  [[nodiscard]] const std::string& lost() const noexcept { return lost_; }

 private:
  const runtime::TscClock& clock_;
  Digest digest_;
  std::uint64_t applied_ = 0;
  std::uint64_t own_applied_ = 0;
  launch::Histogram* own_latency_ = nullptr;
  std::optional<Stamps> stamps_;
  std::uint32_t rank_ = 0;
  std::vector<std::uint64_t> by_sender_;
  std::string lost_;
};

/// One member of the group under test: its reactor, its group, and the waits between blocks, all
/// of which run the reactor's loop and end at a deadline.
class Member {
 public:
  /// Joins the group. Blocks until all members are there. Errors: those of Group::join.
  static Expected<std::unique_ptr<Member>> join(Session& session, std::uint32_t rank);

  [[nodiscard]] std::uint32_t rank() const noexcept { return rank_; }
  [[nodiscard]] Reactor& reactor() noexcept { return reactor_; }
  [[nodiscard]] Group& group() noexcept { return *group_; }
  [[nodiscard]] Consumer& consumer() noexcept { return consumer_; }

  /// One turn of the loop; idles, for at most `most_idle_ns`, when nothing was done.
  void turn(std::uint64_t most_idle_ns = kMostIdleNs) {
    if (!reactor_.poll_once()) reactor_.idle(most_idle_ns);
  }

  /// Turns the loop until `condition()`. Errors: member_lost; timed_out after `kWaitNs`, naming
  /// `what`; or that another member has failed.
  template <class Condition>
  Expected<void> turn_until(const char* what, Condition&& condition) {
    std::uint64_t deadline_ns = 0;
    for (std::uint32_t turns = 1; !condition(); ++turns) {
      turn();
      if (turns % kTurnsPerCheck != 0) continue;
      if (auto healthy = check(what, deadline_ns); !healthy) return healthy;
    }
    return {};
  }

  /// Member lost, other member failed, or deadline passed. A deadline of 0 is set first.
  Expected<void> check(const char* what, std::uint64_t& deadline_ns);

  /// Publishes one message of the plan's size, due at `due_ns`. False: the ring is full, run the
  /// loop. Errors: whatever else the claim was refused for.
  Expected<bool> publish(std::uint64_t due_ns) {
    auto slot = group_->claim(payload_bytes_);
    if (!slot) [[unlikely]] {
      return refused(slot.error().outcome);
    }
    fill(slot->payload(), published_ + (std::uint64_t{rank_} << 56));
    if (stamps_published_) stamps_->published(rank_, published_, due_ns);
    ++published_;
    slot->publish(due_ns);
    return true;
  }
  [[nodiscard]] std::uint64_t published() const noexcept { return published_; }
  void stamp(Stamps stamps) noexcept;
  /// Publish times are noted from now on, or no longer.
  void stamp_published(bool on) noexcept { stamps_published_ = on; }

  /// Leaves in step with the others, all messages applied by all; fills the member's record.
  Expected<void> finish();

  /// A sleeper looks at the phase word at least this often.
  static constexpr std::uint64_t kMostIdleNs = 500'000;
  static constexpr std::uint64_t kWaitNs = 20'000'000'000;

 private:
  Member(Session& session, std::uint32_t rank);
  void record_notices();
  Expected<bool> refused(Outcome outcome);

  static constexpr std::uint32_t kTurnsPerCheck = 256;

  Session& session_;
  std::uint32_t rank_;
  std::uint64_t payload_bytes_;
  Reactor reactor_;
  Consumer consumer_;
  std::optional<Group> group_;
  std::optional<Stamps> stamps_;
  bool stamps_published_ = false;
  std::uint64_t published_ = 0;
};

}  // namespace lockstep::bench
