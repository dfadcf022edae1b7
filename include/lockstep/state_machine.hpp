#pragma once

#include "lockstep/export.hpp"
#include "lockstep/message.hpp"
#include "lockstep/snapshot.hpp"
#include "lockstep/view.hpp"

namespace lockstep {

/// What the application implements: a deterministic state that every member keeps a copy of.
///
/// All calls come from the reactor thread, from inside Group::join or Reactor::poll_once. They
/// should not block: while they run, this member acknowledges nothing. Publishing from inside
/// `apply` is allowed. Exceptions must not leave any of them.
///
/// The idea is Schneider's replicated state machine (ACM Computing Surveys 22(4), 1990): equal
/// start, equal inputs in equal order, equal state. So `apply` must depend on nothing but the
/// state and the message: no clock but Message::timestamp_ns, no randomness, no addresses.
class LOCKSTEP_EXPORT StateMachine : public MessageHandler {
 public:
  /// One message, in the same order on every member. It is stable: every member has it.
  void apply(const Message& message) override = 0;

  /// A view is installed; messages applied from now on belong to it, and all its members applied
  /// the same messages before it. The first time from inside Group::join.
  virtual void view_installed(const View& /*view*/) {}

  /// Gives the state to a joiner: called on one member, the donor, first at the beginning of a
  /// view, before any message of it, then once a turn until it returns true: all has been written.
  /// The group goes on meanwhile, so the application keeps the state of the first call: a copy, or
  /// copy-on-write. Every first call begins a new snapshot, and the one before is wanted no more: a
  /// member gives one state at a time. A state machine without this cannot be joined by anybody.
  virtual bool save(SnapshotWriter& writer) {
    writer.fail("its state machine does not implement save");
    return true;
  }

  /// Takes a state that `save` gave at another member, in place of this one's, before anything is
  /// applied: from inside Group::join, once for each piece.
  virtual void load(SnapshotReader& reader) {
    reader.fail("its state machine does not implement load");
  }

  /// A state is on its way; told at the donor and at the joiner, now and then and at the end.
  virtual void transfer_progressed(const TransferProgress& /*progress*/) {}

  /// This member no longer hears a member of the view. A view without it follows, if enough members
  /// agree; until then messages wait and nothing is lost.
  virtual void member_unreachable(const MemberUnreachable& /*unreachable*/) {}

  /// A member, perhaps this one, lags behind by more than GroupConfig::slow_lag for longer than
  /// slow_timeout_ns; once, until it has caught up. With slow_evicts a view without it follows.
  virtual void member_slow(const MemberSlow& /*slow*/) {}

  /// Too few members of the view hear one another: messages wait, claims are `Outcome::wedged`, and
  /// the state stays as it is. It goes on when enough of them do again.
  virtual void quorum_lost(const View& /*view*/) {}
  virtual void quorum_regained(const View& /*view*/) {}

  /// The others went on without this member, whose last view this is. What it applied is a prefix
  /// of what they applied in it; it applies nothing more. Its own messages that it has not seen
  /// applied may or may not be. Not told to who left.
  virtual void evicted(const View& /*view*/) {}
};

}  // namespace lockstep
