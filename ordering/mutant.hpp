#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

#include "ordering/variant.hpp"

namespace lockstep::ordering::inline LOCKSTEP_VARIANT {

/// Deliberately broken versions of the protocol. Each breaks one sentence of the design.
enum class Mutant : std::uint8_t {
  none,
  deliver_unstable,
  stable_by_majority,
  stable_without_mine,
  sequence_by_arrival,
  no_nulls,
  null_for_null,
  nulls_uncounted,
  row_before_ring,
  ring_before_issued,
  marker_without_position,
  marker_without_nonce,
  no_pad,
  no_tail_check,
  no_checksum,
  own_write_order,
  reclaim_undelivered,
  reclaim_incomplete,
  delivered_not_forced,
  no_recheck_before_sleep,
  no_doorbell,
  beat_rings_doorbell,
  show_more_than_held,
};

struct MutantSentence {
  Mutant mutant;
  std::string_view name;
  std::string_view sentence;  ///< what of DESIGN §4–5, §8 it breaks
};

inline constexpr std::array kMutants{
    MutantSentence{Mutant::deliver_unstable, "deliver-unstable",
                   "a frame is delivered when all frames before it in the sequence are stable"},
    MutantSentence{Mutant::stable_by_majority, "stable-by-majority",
                   "stable means received by all members: a minimum over N words"},
    MutantSentence{Mutant::stable_without_mine, "stable-without-mine",
                   "a member holds its own stream only as far as I have seen it"},
    MutantSentence{Mutant::sequence_by_arrival, "sequence-by-arrival",
                   "sequence = index × senders + sender rank"},
    MutantSentence{Mutant::no_nulls, "no-nulls", "a silent sender's turns are filled with nulls"},
    MutantSentence{Mutant::null_for_null, "null-for-null", "a null never causes a null"},
    MutantSentence{Mutant::nulls_uncounted, "nulls-uncounted",
                   "nulls before a frame are a run count in its header"},
    MutantSentence{Mutant::row_before_ring, "row-before-ring",
                   "on each link a frame is posted before the row words that cover it"},
    MutantSentence{Mutant::ring_before_issued, "ring-before-issued",
                   "a reader loads a peer's issued first, then sweeps its ring"},
    MutantSentence{Mutant::marker_without_position, "marker-without-position",
                   "a marker is a function of the absolute ring position"},
    MutantSentence{Mutant::marker_without_nonce, "marker-without-nonce",
                   "a marker is a function of a random nonce of the epoch"},
    MutantSentence{Mutant::no_pad, "no-pad",
                   "a frame never straddles the ring's end: a pad frame fills it"},
    MutantSentence{Mutant::no_tail_check, "no-tail-check",
                   "header marker, bounds-checked length, tail marker, then payload"},
    MutantSentence{Mutant::no_checksum, "no-checksum",
                   "a checksum, on media that do not promise order inside a write"},
    MutantSentence{Mutant::own_write_order, "own-write-order",
                   "a reader goes by the order in which that peer writes, not by its own"},
    MutantSentence{Mutant::reclaim_undelivered, "reclaim-undelivered",
                   "a ring is reclaimed at the lower of … and every member's delivered"},
    MutantSentence{Mutant::reclaim_incomplete, "reclaim-incomplete",
                   "posted bytes stay unchanged until the transport reports the post complete"},
    MutantSentence{Mutant::delivered_not_forced, "delivered-not-forced",
                   "delivered_sequence is forced after ring/8 bytes or before sleeping"},
    MutantSentence{Mutant::no_recheck_before_sleep, "no-recheck-before-sleep",
                   "a sleeper sets sleeping, fences, and re-checks every ring and row"},
    MutantSentence{Mutant::no_doorbell, "no-doorbell",
                   "after a send step with something in it the sender looks at sleeping"},
    MutantSentence{Mutant::beat_rings_doorbell, "beat-rings-doorbell",
                   "an idle group sends only beats, and a beat never rings a doorbell"},
    MutantSentence{Mutant::show_more_than_held, "show-more-than-held",
                   "a stale read is only ever conservative"},
};

#ifdef LOCKSTEP_MUTANTS
/// The one fault that is switched on in this program (simulation only).
inline Mutant active_mutant = Mutant::none;
inline bool mutant(Mutant which) noexcept { return active_mutant == which; }

/// Called where it matters that peers write while we look; a simulation, which otherwise lets
/// bytes arrive between turns only, lets some arrive there.
inline std::function<void()> at_race;
inline void race() {
  if (at_race) at_race();
}
#else
/// In production code no fault exists.
constexpr bool mutant(Mutant /*which*/) noexcept { return false; }
constexpr void race() noexcept {}
#endif

}  // namespace lockstep::ordering::inline LOCKSTEP_VARIANT
