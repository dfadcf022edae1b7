#pragma once

#include <cstdint>
#include <span>

#include "lockstep/message.hpp"
#include "membership/observation.hpp"
#include "ordering/variant.hpp"
#include "ordering/view_order.hpp"
#include "runtime/duty.hpp"
#include "transports/transport.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {

/// What a duty cycle needs from whoever owns it, off the hot path.
class Control {
 public:
  virtual ~Control() = default;
  /// A bounded piece of everything else: mailboxes, counters. True if anything was done.
  virtual bool control_step(std::uint64_t now_ns) noexcept = 0;
  /// Would control_step find anything?
  [[nodiscard]] virtual bool control_pending() const noexcept = 0;
  /// A member is gone; once per member. `reason` lives as long as the program.
  virtual void member_lost(std::uint32_t rank, transports::DownReason reason) noexcept = 0;
  /// A member's beat stopped; once per member.
  virtual void member_silent(std::uint32_t rank) noexcept = 0;
};

struct DutyCycleOptions {
  Observation::Options observation;
  /// What to add to the reactor's monotonic time to get the wall clock of message time stamps.
  std::uint64_t wall_offset_ns = 0;
};

/// The loop body of one group on one reactor: the first thing to read.
///
/// Sans-I/O: it sees a transport, memory and the time as a number, so the same code runs on shared
/// memory and on a simulated network in virtual time.
class DutyCycle final : public runtime::Duty {
 public:
  DutyCycle(transports::Transport& transport, const ordering::ViewLayout& layout,
            MessageHandler& handler, Control& control, const DutyCycleOptions& options);

  bool step(std::uint64_t now_ns) override;
  bool prepare_to_sleep() noexcept override;
  void woke() noexcept override;
  [[nodiscard]] std::uint64_t deadline_ns() const noexcept override {
    return observation_.deadline_ns();
  }
  [[nodiscard]] std::span<const int> descriptors() const noexcept override {
    return transport_.descriptors();
  }

  [[nodiscard]] ordering::ViewOrder& order() noexcept { return order_; }
  [[nodiscard]] const ordering::ViewOrder& order() const noexcept { return order_; }

 private:
  bool poll_links() noexcept;
  bool observe(std::uint64_t now_ns) noexcept;

  transports::Transport& transport_;
  MessageHandler& handler_;
  Control& control_;
  ordering::ViewOrder order_;
  Observation observation_;
  std::uint64_t told_silent_ = 0;  ///< a bit per rank
  std::uint64_t wall_offset_ns_;
};

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
