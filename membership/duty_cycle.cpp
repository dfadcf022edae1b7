#include "membership/duty_cycle.hpp"

#include <array>
#include <bit>

namespace lockstep::membership::inline LOCKSTEP_VARIANT {

DutyCycle::DutyCycle(transports::Transport& transport, const ordering::ViewLayout& layout,
                     MessageHandler& handler, Control& control, const DutyCycleOptions& options)
    : transport_(transport),
      handler_(handler),
      control_(control),
      order_(transport, layout),
      observation_(order_, layout.members, layout.my_rank, options.observation),
      wall_offset_ns_(options.wall_offset_ns) {}

bool DutyCycle::step(std::uint64_t now_ns) {
  order_.set_wall_ns(now_ns + wall_offset_ns_);
  bool busy = poll_links();               // link events in (bytes come in by themselves: one-sided)
  busy |= order_.receive();               // sweep the rings, advance my received counters
  busy |= order_.deliver(handler_);       // hand the stable prefix to the application
  busy |= order_.send(busy);              // push frames and changed counters, by what is there
  busy |= observe(now_ns);                // beats, and who fell silent
  busy |= control_.control_step(now_ns);  // mailboxes, counters: bounded
  return busy;
}

bool DutyCycle::poll_links() noexcept {
  std::array<transports::LinkDown, 8> events;
  const std::size_t count = transport_.poll(events);
  for (std::size_t i = 0; i < count; ++i) {
    order_.lose(events[i].link);
    control_.member_lost(events[i].link, events[i].reason);
  }
  std::uint32_t offender = 0;
  if (order_.take_offender(offender)) [[unlikely]] {
    order_.lose(offender);
    control_.member_lost(offender, transports::DownReason::protocol_error);
  }
  return count > 0;
}

bool DutyCycle::observe(std::uint64_t now_ns) noexcept {
  if (now_ns < observation_.deadline_ns()) [[likely]] {
    return false;
  }
  observation_.step(now_ns);
  const std::uint64_t untold = observation_.silent() & ~told_silent_;
  told_silent_ |= untold;
  for (std::uint64_t rest = untold; rest != 0; rest &= rest - 1) {
    control_.member_silent(static_cast<std::uint32_t>(std::countr_zero(rest)));
  }
  return untold != 0;
}

bool DutyCycle::prepare_to_sleep() noexcept {
  order_.settle();
  transport_.announce_sleep();
  if (!order_.anything_new() && !control_.control_pending()) return true;
  transport_.announce_awake();
  return false;
}

void DutyCycle::woke() noexcept { transport_.announce_awake(); }

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
