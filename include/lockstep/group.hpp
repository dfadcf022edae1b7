#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string_view>

#include "lockstep/config.hpp"
#include "lockstep/error.hpp"
#include "lockstep/export.hpp"
#include "lockstep/reactor.hpp"
#include "lockstep/state_machine.hpp"
#include "lockstep/view.hpp"

namespace lockstep {

namespace membership {
class FixedView;
}

/// Expected outcomes of claiming and posting. None of them is a fault of the program.
enum class Outcome : std::uint8_t {
  would_block,  ///< the ring or mailbox is full: run the reactor, then try again
  too_large,    ///< more than max_payload_bytes() (claim) or mailbox_payload_bytes (post)
  not_sender,   ///< this member is not in GroupConfig::senders
  not_member,   ///< the view has lost a member, or this group was left
};

/// The word for `outcome`, as it appears in logs: "would_block".
LOCKSTEP_EXPORT std::string_view to_string(Outcome outcome) noexcept;

/// Why a claim or post was refused.
struct Refusal {
  Outcome outcome = Outcome::would_block;
  /// `would_block` of a claim: the rank that has delivered least and so keeps the ring full.
  std::uint32_t slowest_rank = 0;
};

/// Room for one message inside this member's ring: write the payload in place, then publish.
/// Dropping it unpublished costs at most a pad. It ends with the next claim or poll_once.
class LOCKSTEP_EXPORT Slot {
 public:
  [[nodiscard]] std::byte* data() const noexcept { return payload_.data(); }
  [[nodiscard]] std::size_t size() const noexcept { return payload_.size(); }
  [[nodiscard]] std::span<std::byte> payload() const noexcept { return payload_; }

  /// Hands the message to the order. `token` comes back in Message::token of this member's own
  /// delivery. Peers see it when the loop next turns. At most once per slot, and not after the
  /// slot ended: that is a bug in the caller, and asserts.
  void publish(std::uint64_t token = 0) const noexcept;

 private:
  friend class Group;
  Slot(membership::FixedView* view, std::span<std::byte> payload, std::uint64_t claim) noexcept
      : view_(view), payload_(payload), claim_(claim) {}
  membership::FixedView* view_;
  std::span<std::byte> payload_;
  std::uint64_t claim_;
};

/// One member's handle on a group: a set of processes that apply the same messages in one order.
///
/// Reactor-thread only, `post` excepted. The group has a fixed view: the members of its
/// configuration, all of them, until one is lost. A message is applied when every member has it,
/// so nothing that any member applied is lost with a crash.
///
/// Ordering, stability and flow control follow Derecho (Jha et al., ACM TOCS 36(2), 2019): one
/// table of monotone counters, one row per member, pushed with one-sided writes.
class LOCKSTEP_EXPORT Group {
 public:
  /// Connects to every member named in `config` and installs the view. Blocks for at most
  /// config.join_timeout_ns; allocates everything the group will ever need. `state_machine` and
  /// `reactor` must outlive the group.
  ///
  /// Errors: configuration, identity_in_use, member_absent, mismatch (both values named),
  /// oversubscribed, no_memory, system.
  static Expected<Group> join(Reactor& reactor, const GroupConfig& config,
                              StateMachine& state_machine);

  /// Leaves: pushes what is still queued, tells the peers, frees the memory. Others see
  /// `member_lost` with the reason "left the group".
  ~Group();
  Group(Group&&) noexcept;
  Group& operator=(Group&&) = delete;

  /// Room for a message of `bytes`, zero to max_payload_bytes(). Never blocks, never allocates.
  std::expected<Slot, Refusal> claim(std::size_t bytes) noexcept;

  /// Copies `payload` into a bounded mailbox that the reactor publishes from. The one call for
  /// other threads (client gateways); any number of them. Never blocks, never allocates; makes a
  /// system call only if the reactor sleeps.
  std::expected<void, Refusal> post(std::span<const std::byte> payload,
                                    std::uint64_t token = 0) noexcept;

  [[nodiscard]] const View& view() const noexcept;
  [[nodiscard]] std::size_t max_payload_bytes() const noexcept;

  /// True when every message this member published has been delivered by all members. Once it is,
  /// leaving loses nothing of ours.
  [[nodiscard]] bool drained() const noexcept;

 private:
  explicit Group(std::unique_ptr<membership::FixedView> view) noexcept;
  std::unique_ptr<membership::FixedView> view_;
};

}  // namespace lockstep
