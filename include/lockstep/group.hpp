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
class Member;
}

/// Expected outcomes of claiming and posting. None of them is a fault of the program.
enum class Outcome : std::uint8_t {
  would_block,  ///< the ring or mailbox is full: run the reactor, then try again
  too_large,    ///< more than max_payload_bytes() (claim) or mailbox_payload_bytes (post)
  not_sender,   ///< this member is not in GroupConfig::senders
  wedged,       ///< the view is changing, or has no quorum: run the reactor, then try again
  not_member,   ///< the others went on without this member, or it left
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
  Slot(membership::Member* member, std::span<std::byte> payload, std::uint64_t claim) noexcept
      : member_(member), payload_(payload), claim_(claim) {}
  membership::Member* member_;
  std::span<std::byte> payload_;
  std::uint64_t claim_;
};

/// One member's handle on a group: a set of processes that apply the same messages in one order.
///
/// Reactor-thread only, `post` excepted. The first view has all founders of the configuration. When
/// members die, hang, leave or join, a quorum agrees on the next one: all that go on have then
/// applied the same messages, and go on. A message is applied when every member of the view has it,
/// so nothing that any member applied is lost with a crash; own messages that nobody applied are
/// sent again in the next view, in order, with their tokens.
///
/// Ordering, stability and flow control follow Derecho (Jha et al., ACM TOCS 36(2), 2019): one
/// table of monotone counters, one row per member, pushed with one-sided writes. Views are
/// virtually synchronous (Birman and Joseph, SOSP 1987), in the primary partition only; see
/// docs/membership.md.
class LOCKSTEP_EXPORT Group {
 public:
  /// Founds the group with the other founders that `config` names; or, if it runs already, joins
  /// it: StateMachine::load gets the state of another member, and what was ordered meanwhile is
  /// applied. Then `view_installed` was called, and this member is like any other. Turns the
  /// reactor while it joins. Blocks for at most config.join_timeout_ns. `state_machine` and
  /// `reactor` must outlive the group. Starts a thread that meets who comes later.
  ///
  /// Errors: configuration, identity_in_use, member_absent, mismatch (both values named),
  /// oversubscribed, no_memory, system; of a group that runs also timed_out, member_lost (it was
  /// let in and did not get the state) and state_refused (`load` failed: the others' state is the
  /// same, so trying again is of no use).
  static Expected<Group> join(Reactor& reactor, const GroupConfig& config,
                              StateMachine& state_machine);

  /// Ends this member: pushes what is still queued, tells the peers, frees the memory. Unless it
  /// left before, the others have to find out and see `member_unreachable` with the reason "left
  /// the group".
  ~Group();

  /// Leaves in good order: the others go on in a view without this member, and this returns when
  /// they all know. Turns the reactor meanwhile, so messages may still be applied; what is
  /// published and not `drained` by then is lost. Not from inside a callback. The last member of a
  /// view has nobody to tell. Errors: timed_out.
  Expected<void> leave(std::uint64_t timeout_ns);
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

  /// True when every message this member published has been delivered by all members of the view.
  /// Once it is, leaving loses nothing of ours. An evicted member may wait for it for ever.
  [[nodiscard]] bool drained() const noexcept;

 private:
  explicit Group(std::unique_ptr<membership::Member> member) noexcept;
  std::unique_ptr<membership::Member> member_;
};

}  // namespace lockstep
