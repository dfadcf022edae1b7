#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace lockstep {

/// One message, as `StateMachine::apply` sees it: same content, same order on every member
/// (except `mine`). Valid only during that call: `payload` points into the sender's ring.
struct Message {
  /// The bytes that were published, 0 to Group::max_payload_bytes(). Aligned to 8.
  std::span<const std::byte> payload;
  /// Place in the total order. Strictly increasing, not dense: turns of silent senders are skipped.
  std::uint64_t sequence = 0;
  /// The sender's wall clock (ns since 1970) as its loop last read it before publish (a spinning
  /// reactor reads it in every eighth empty turn), made non-decreasing in the order. The only
  /// clock `apply` may use: it is the same on every member.
  std::uint64_t timestamp_ns = 0;
  /// What the sender gave to Slot::publish if `mine`, else 0. Finds the client that waits.
  std::uint64_t token = 0;
  /// Rank of the member that published.
  std::uint32_t sender = 0;
  /// Published by this member.
  bool mine = false;
};

/// Takes messages in order. What an application implements is StateMachine; this is the part of
/// it that ordering knows.
class MessageHandler {
 public:
  virtual ~MessageHandler() = default;
  /// One message, in the same order on every member. It is stable: every member has it.
  virtual void apply(const Message& message) = 0;
};

}  // namespace lockstep
