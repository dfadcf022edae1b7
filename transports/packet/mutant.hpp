#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace lockstep::transports::packet {

/// Deliberately broken versions of the layer. Each breaks one sentence of docs/packets.md.
enum class Mutant : std::uint8_t {
  none,
  accept_any_seal,
  apply_out_of_order,
  apply_twice,
  forget_held,
  hold_beyond_window,
  overrun_the_credit,
  never_ask_again,
  never_probe,
  trust_any_acknowledgement,
  acknowledge_the_missing,
  reuse_unacknowledged,
  never_acknowledge_alone,
  never_give_up,
  hear_when_down,
  fixed_timer,
  trust_stalls,
  resend_everything,
  never_slow_down,
  never_pace,
  acknowledge_by_time_only,
  take_replays,
  reuse_a_number,
  leave_it_readable,
  never_renew,
  renew_unseen,
};

struct MutantSentence {
  Mutant mutant;
  std::string_view name;
  std::string_view sentence;
};

inline constexpr std::array kMutants{
    MutantSentence{Mutant::accept_any_seal, "accept-any-seal",
                   "a packet that the seal does not fit is dropped before anything of it is read"},
    MutantSentence{Mutant::apply_out_of_order, "apply-out-of-order",
                   "bodies are applied in the order of their sequence numbers"},
    MutantSentence{Mutant::apply_twice, "apply-twice", "and each of them once"},
    MutantSentence{Mutant::forget_held, "forget-held",
                   "a packet that comes early is held until those before it are here"},
    MutantSentence{Mutant::hold_beyond_window, "hold-beyond-window",
                   "a packet beyond the window is dropped"},
    MutantSentence{Mutant::overrun_the_credit, "overrun-the-credit",
                   "no more packets are on their way than the peer has room for"},
    MutantSentence{Mutant::never_ask_again, "never-ask-again",
                   "a packet is lost when the peer has one that was sent well after it"},
    MutantSentence{Mutant::never_probe, "never-probe",
                   "after a few round trips of silence the oldest packet is sent again"},
    MutantSentence{Mutant::trust_any_acknowledgement, "trust-any-acknowledgement",
                   "an acknowledgement of what was never sent is dropped"},
    MutantSentence{Mutant::acknowledge_the_missing, "acknowledge-the-missing",
                   "acknowledged is what was applied, or is held"},
    MutantSentence{Mutant::reuse_unacknowledged, "reuse-unacknowledged",
                   "the bytes of a packet stay until the peer has them"},
    MutantSentence{Mutant::never_acknowledge_alone, "never-acknowledge-alone",
                   "an acknowledgement that nothing carries goes by itself"},
    MutantSentence{Mutant::never_give_up, "never-give-up",
                   "a link without progress for a bounded time is down"},
    MutantSentence{Mutant::hear_when_down, "hear-when-down",
                   "an end that gave up hears and acknowledges nothing more"},
    MutantSentence{Mutant::fixed_timer, "fixed-timer",
                   "silence is measured in round trips, not in milliseconds"},
    MutantSentence{Mutant::trust_stalls, "trust-stalls",
                   "a member that stood still once does not make losses take longer"},
    MutantSentence{Mutant::resend_everything, "resend-everything",
                   "only what was lost is sent again"},
    MutantSentence{Mutant::never_slow_down, "never-slow-down",
                   "a loss makes the window smaller, once per round trip"},
    MutantSentence{Mutant::never_pace, "never-pace",
                   "and packets go at even distances until it is whole again"},
    MutantSentence{Mutant::acknowledge_by_time_only, "acknowledge-by-time-only",
                   "an acknowledgement goes by itself after 16 packets"},
    MutantSentence{Mutant::take_replays, "take-replays",
                   "a packet that has come before, whoever sent it, is dropped"},
    MutantSentence{Mutant::reuse_a_number, "reuse-a-number",
                   "no two packets are encrypted with one number under one key"},
    MutantSentence{Mutant::leave_it_readable, "leave-it-readable",
                   "where there are keys nobody else can read what is written"},
    MutantSentence{Mutant::never_renew, "never-renew", "a new key is used soon after it is due"},
    MutantSentence{Mutant::renew_unseen, "renew-unseen",
                   "each end is at most one key behind the other, whatever is lost"},
};

#ifdef LOCKSTEP_PACKET_MUTANTS
/// The one fault that is switched on in this program (a test's).
inline Mutant active_mutant = Mutant::none;
inline bool mutant(Mutant which) noexcept { return active_mutant == which; }
#else
/// In production code no fault exists.
constexpr bool mutant(Mutant /*which*/) noexcept { return false; }
#endif

}  // namespace lockstep::transports::packet
