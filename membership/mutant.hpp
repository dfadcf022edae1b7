#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "ordering/variant.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {

/// Deliberately broken versions of the view change, as ordering::Mutant for the order. Each breaks
/// one sentence of DESIGN §6.
enum class Mutant : std::uint8_t {
  none,
  no_adopt,
  propose_twice,
  promise_not_awaited,
  accept_below_promise,
  no_quorum,
  half_without_lowest,
  leaver_does_not_vote,
  no_decided,
  no_wedge,
  trim_by_most,
  trim_by_own,
  beyond_trim,
  short_of_trim,
  evicted_delivers,
  keep_everybody,
  keep_by_own_reports,
  sticky_unreachable,
  outbid_at_once,
  any_joiners,
  goes_on_without_the_state,
  leaves_with_the_state,
  unknown_joiner,
  donations_not_told,
  donor_of_many,
  no_cut_for_who_waits,
  mending_ends_there,
  row_not_repeated,
  no_resend,
  resend_twice,
  new_before_resend,
  same_copy,
  same_nonce,
  index_from_zero,
  ring_before_complete,
  time_runs_back,
  keep_keys,
};

struct MutantSentence {
  Mutant mutant;
  std::string_view name;
  std::string_view sentence;  ///< what of DESIGN §6 it breaks
};

inline constexpr std::array kMutants{
    MutantSentence{Mutant::no_adopt, "no-adopt",
                   "I adopt the value accepted among them under the highest number, unchanged"},
    MutantSentence{Mutant::propose_twice, "propose-twice", "I propose, once"},
    MutantSentence{Mutant::promise_not_awaited, "promise-not-awaited",
                   "when all of K are wedged and show exactly my number"},
    MutantSentence{Mutant::accept_below_promise, "accept-below-promise",
                   "from then on it accepts nothing below it"},
    MutantSentence{Mutant::no_quorum, "no-quorum",
                   "accepted under one number by a quorum of v = decided"},
    MutantSentence{Mutant::half_without_lowest, "half-without-lowest",
                   "exactly half including the lowest rank"},
    MutantSentence{Mutant::leaver_does_not_vote, "leaver-does-not-vote",
                   "all of v vote: the unreachable and the leaving too"},
    MutantSentence{Mutant::no_decided, "no-decided",
                   "so is what any row of v, whoever's, shows as decided"},
    MutantSentence{Mutant::no_wedge, "no-wedge", "it stops publishing and receiving in v for good"},
    MutantSentence{Mutant::trim_by_most, "trim-by-most", "trim[s] = min received[s] over K"},
    MutantSentence{Mutant::trim_by_own, "trim-by-own",
                   "trim[s] is over all of K, not over its arbiter"},
    MutantSentence{Mutant::beyond_trim, "beyond-trim",
                   "those named deliver everything up to the trim and nothing else"},
    MutantSentence{Mutant::short_of_trim, "short-of-trim",
                   "those named deliver everything up to the trim"},
    MutantSentence{Mutant::evicted_delivers, "evicted-delivers",
                   "who is not named delivers no more"},
    MutantSentence{Mutant::keep_everybody, "keep-everybody",
                   "K: the largest set in which nobody reports anybody"},
    MutantSentence{Mutant::keep_by_own_reports, "keep-by-own-reports",
                   "from everybody's unreachable each member computes K"},
    MutantSentence{Mutant::sticky_unreachable, "sticky-unreachable",
                   "nothing sticks to a member but its wedge, its promise and its acceptance"},
    MutantSentence{Mutant::outbid_at_once, "outbid-at-once",
                   "who was outbid gives the other attempt its time before it opens again"},
    MutantSentence{Mutant::any_joiners, "any-joiners", "at most as many joiners as members kept"},
    MutantSentence{Mutant::goes_on_without_the_state, "goes-on-without-the-state",
                   "each quorum holds somebody with the state"},
    MutantSentence{Mutant::leaves_with_the_state, "leaves-with-the-state",
                   "the leaver votes like the rest, and exits when all kept members show v+1"},
    MutantSentence{Mutant::unknown_joiner, "unknown-joiner",
                   "control connection to every member, then it is named"},
    MutantSentence{Mutant::donations_not_told, "donations-not-told",
                   "a joiner or donor dying mid-way costs nothing"},
    MutantSentence{Mutant::donor_of_many, "donor-of-many",
                   "a donor streams a snapshot, labelled (view, sequence)"},
    MutantSentence{Mutant::no_cut_for_who_waits, "no-cut-for-who-waits",
                   "a wedge without a joiner installs the same members"},
    MutantSentence{Mutant::mending_ends_there, "mending-ends-there",
                   "a broken link always ends in a new view"},
    MutantSentence{Mutant::row_not_repeated, "row-not-repeated",
                   "each side posts its whole row again"},
    MutantSentence{Mutant::no_resend, "no-resend",
                   "own frames beyond the trim are copied into the new ring"},
    MutantSentence{Mutant::resend_twice, "resend-twice",
                   "nobody delivered them, so each is delivered once"},
    MutantSentence{Mutant::new_before_resend, "new-before-resend", "in order, before anything new"},
    MutantSentence{Mutant::same_copy, "same-copy",
                   "surviving links alternate copies from view to view"},
    MutantSentence{Mutant::same_nonce, "same-nonce",
                   "bytes of an older lap or an older view never match"},
    MutantSentence{Mutant::index_from_zero, "index-from-zero",
                   "every word is monotone: a stale read is only ever conservative"},
    MutantSentence{Mutant::ring_before_complete, "ring-before-complete",
                   "posted bytes stay unchanged until the transport reports the post complete"},
    MutantSentence{Mutant::time_runs_back, "time-runs-back",
                   "the sender's clock, made non-decreasing in the order"},
    MutantSentence{Mutant::keep_keys, "keep-keys", "each view has new keys (docs/security.md)"},
};

#ifdef LOCKSTEP_MUTANTS
inline Mutant active_mutant = Mutant::none;
inline bool mutant(Mutant which) noexcept { return active_mutant == which; }
#else
constexpr bool mutant(Mutant /*which*/) noexcept { return false; }
#endif

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
