#pragma once

#include "lockstep/export.hpp"
#include "lockstep/message.hpp"
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

  /// A view is installed; messages applied from now on belong to it. Called once from Group::join.
  virtual void view_installed(const View& /*view*/) {}

  /// A member was lost. The view no longer makes progress.
  virtual void member_lost(const MemberLost& /*lost*/) {}
};

}  // namespace lockstep
