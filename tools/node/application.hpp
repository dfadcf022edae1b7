#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "lockstep/error.hpp"
#include "lockstep/state_machine.hpp"

namespace lockstep::node {

/// What a node replicates: a state machine that also knows what clients ask. A request that changes
/// something is a message of the order, byte for byte as its client sent it.
///
/// One thread at a time, except where it says otherwise.
class Application : public StateMachine {
 public:
  /// How many of the bytes at the front of what a client sent are one request; 0: it is not whole
  /// yet. At most kMostPacketBytes. Any thread at any time. Errors: input, in words for the client.
  [[nodiscard]] virtual Expected<std::size_t> request_bytes(
      std::span<const std::byte> bytes) const = 0;

  /// The reply to a whole request, from the state as it is; nothing: it has to go through the
  /// order.
  [[nodiscard]] virtual std::optional<std::string> answer(
      std::span<const std::byte> request) const = 0;

  /// The reply to the message that was applied last, if it was sent by this member. Until the next
  /// one.
  [[nodiscard]] virtual const std::string& last_reply() const noexcept = 0;

  /// Forgets everything.
  virtual void clear() = 0;
  /// "2 keys, digest 8c3e…": equal states, equal texts.
  [[nodiscard]] virtual std::string summary() const = 0;
};

}  // namespace lockstep::node
