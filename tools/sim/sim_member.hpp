#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lockstep/message.hpp"
#include "membership/duty_cycle.hpp"
#include "ordering/variant.hpp"
#include "ordering/view_order.hpp"
#include "transports/transport.hpp"

namespace lockstep::sim::inline LOCKSTEP_VARIANT {

/// What a simulated member tells the simulation.
class Witness {
 public:
  virtual ~Witness() = default;
  virtual void applied(std::uint32_t rank, const Message& message) = 0;
  virtual void lost(std::uint32_t rank, std::uint32_t peer, transports::DownReason reason) = 0;
};

/// One member under simulation: the real duty cycle and order, driven by hand. The only place
/// where the simulation touches them.
class SimMember final : public MessageHandler, public membership::Control {
 public:
  /// Idle members beat at this interval of virtual time: far longer than any wait that a run
  /// needs, so that a lost wake-up cannot hide behind a beat.
  static constexpr std::uint64_t kBeatIntervalNs = 1'000'000'000;

  SimMember(transports::Transport& transport, const ordering::ViewLayout& layout, Witness& witness,
            std::uint64_t wall_offset_ns);

  bool step(std::uint64_t now_ns) { return duty_.step(now_ns); }
  bool prepare_to_sleep() { return duty_.prepare_to_sleep(); }
  void woke() { duty_.woke(); }
  [[nodiscard]] std::uint64_t deadline_ns() const { return duty_.deadline_ns(); }

  /// Null when the ring is full.
  std::byte* claim(std::size_t bytes) { return duty_.order().claim(bytes); }
  void publish(std::uint64_t token) { duty_.order().publish(token); }
  [[nodiscard]] std::size_t max_payload_bytes() const { return duty_.order().max_payload_bytes(); }
  /// True once a peer was reported lost: a fixed view then takes no more messages.
  [[nodiscard]] bool lost_peer() const { return lost_peer_; }

  /// This member's copy of the ring of `sender`.
  [[nodiscard]] std::span<std::byte> ring_of(std::uint32_t sender);

  void apply(const Message& message) override { witness_.applied(layout_.my_rank, message); }
  bool control_step(std::uint64_t /*now_ns*/) noexcept override { return false; }
  [[nodiscard]] bool control_pending() const noexcept override { return false; }
  void member_lost(std::uint32_t rank, transports::DownReason reason) noexcept override;
  void member_silent(std::uint32_t rank) noexcept override;

 private:
  transports::Transport& transport_;
  const ordering::ViewLayout layout_;
  Witness& witness_;
  membership::DutyCycle duty_;
  bool lost_peer_ = false;
};

}  // namespace lockstep::sim::inline LOCKSTEP_VARIANT
