/* Safety of joins: a view v, the view v+1 that may have a joiner in it, and the decision of v+1 on
 * what follows. The joiner may crash at any moment and come again under its name; links to it are
 * made and break at any moment; K is any quorum; members learn late or never.
 *
 * Both agreements are voted on, but the links between members are not modelled again: a member
 * reads what others show as of now, and need not look. That is the same, for words that only grow: to
 * read late is to look late, and whoever shows a promise shows all that it accepted before
 * (safety.pml, promise-before-acceptance). For the same reason what was ever proposed, accepted or
 * shown as joinable may be read at any time later, and numbers of attempts are taken in any order.
 *
 * Bounds come from the environment: VARIANT; FIRST and SECOND, attempts in v and in v+1; COMINGS of
 * the joiner; CALM=1, nothing goes wrong with it; STATELESS=1, the highest member of v has no state
 * yet; LEAVER=1, it may leave; ANY_NONCE=1, a joiner begins with a welcome for another incarnation.
 */
#include "variants.pml"
#include "sets.pml"
#ifndef MEMBERS
#define MEMBERS 3
#endif
#define PLACES (MEMBERS + 1)
#define JOINER MEMBERS /* the place of its name: its rank, too, for it is the last one */
#define LAST (MEMBERS - 1)
#define VOTERS ((1 << MEMBERS) - 1)

hidden byte variant;
hidden byte most_attempts[2]; /* per view */
hidden byte most_comings;
hidden byte calm;
hidden byte last_lacks_state;
hidden byte last_may_leave;
hidden byte any_nonce;

/* A value: places that go on, the incarnation of the joiner, and above them whether the last member
 * of v lacks the state. That the joiner does goes without saying. */
#define LACKS_STATE 64
#define KEPT(value) ((value) & 15)
#define NAMED(value) ((value) >> 4 & 3)
#define NEXT(value) (KEPT(value) | (NAMED(value) -> BIT(JOINER) : 0))

/* Rows: v is view 0, v+1 view 1. Attempts are numbered 1 and 2. */
#define ATTEMPTS 2
#define ROW(view, place) ((view) * PLACES + (place))
#define TRY(view, attempt) ((view) * (ATTEMPTS + 1) + (attempt))
byte promised[2 * PLACES];
byte opener[2 * (ATTEMPTS + 1)]; /* 1 + its place */
byte value[2 * (ATTEMPTS + 1)];  /* that was proposed */
byte votes[2 * (ATTEMPTS + 1)];  /* who accepted it, a bit each */

/* Where a member is: in v, in v+1, in v+2, or left out. The joiner is in 0 until it begins. */
#define OUT 3
byte in[PLACES];
byte agreed[2]; /* with what the first member to end a view ended it */

byte came;           /* incarnations of the joiner so far */
byte alive;          /* the one that runs, or 0 */
byte link[PLACES];   /* to which incarnation this member has a link that works, or 0 */
bool shown[PLACES];  /* joinable, in the view it is in; may be read after it was taken back */
byte welcome[PLACES];       /* in the memory of the incarnation that runs: for which value… */
byte welcome_view[PLACES];  /* …and which view */
bool loaded;                /* the last member has the state… */
bool told;                  /* …and the others see it */
bool leaving;               /* the last member wants to leave v */

hidden byte best, i, chosen, lacks;

#define MEMBERS_OF(view) ((view) == 0 -> VOTERS : NEXT(agreed[0]))
#define JOINER_IS_IN(view) ((view) && NAMED(agreed[0]))
/* Views::is_free: no view that this member is in, or was in last, has the joiner's link. */
#define IS_FREE(me) (in[me] == 0 || (in[me] == 1 && !NAMED(agreed[0]) && most_attempts[1]))
/* The joiner writes and reads its row of v+1 in the memory of links to the incarnation named. */
#define READS(me, other) \
  ((me == JOINER || (other) != JOINER || link[me] == NAMED(agreed[0])) && \
   (me != JOINER || (other) == JOINER || link[other] == NAMED(agreed[0])))
#define VOTES(view, me) \
  (in[me] == (view) && (me != JOINER || ((view) && alive && alive == NAMED(agreed[0]))))

/* Agreement::who_joins. Nobody while as many lack the state as have it. */
#define HAS_STATE(me) (!last_lacks_state || (me == LAST -> loaded : told))
#define WITHOUT(me, kept) ((((kept) & BIT(LAST)) && !HAS_STATE(me)) -> 1 : 0)
#define SHOW_IT(me, kept) \
  ((me == 0 || !((kept) & 1) || shown[0]) && (me == 1 || !((kept) & 2) || shown[1]) && \
   (MEMBERS < 3 || me == 2 || !((kept) & 4) || shown[LAST]))
#define CAN_NAME(view, me, kept) \
  (me != JOINER && !JOINER_IS_IN(view) && link[me] && \
   (variant == UNKNOWN_JOINER || SHOW_IT(me, kept)) && \
   COUNT(kept) - WITHOUT(me, kept) > WITHOUT(me, kept))

/* finish, as far as joiners go: lose_who_is_not_there, and the welcome that goes to all others. */
inline write_welcome(me, view, what) {
  if
  :: link[me] && link[me] == alive ->
     /* nothing is written into the memory of an incarnation that is not meant */
     assert(NAMED(what) == alive || variant == NONCES_NEVER_COMPARED);
     welcome[me] = what;
     welcome_view[me] = view
  :: else
  fi
}

inline admit_named(me, view, what) {
  if
  :: NAMED(what) && link[me] != NAMED(what) && variant != NONCE_NOT_COMPARED &&
     variant != NONCES_NEVER_COMPARED -> link[me] = 0
  :: else
  fi;
  /* whoever is named while nothing goes wrong is there */
  assert(!calm || !NAMED(what) || link[me] == NAMED(what));
  if
  :: NAMED(what) -> write_welcome(me, view, what)
  :: else
  fi
}

/* 6. Views::finish. Who ends a view means what everybody else means who ends it. */
inline end_view(me, view, what) {
  chosen = what;
  if
  :: variant == STATELESS_BY_OWN_TABLE && view == 0 && (KEPT(what) & BIT(LAST)) ->
     chosen = (KEPT(what) | (NAMED(what) << 4)) | (HAS_STATE(me) -> 0 : LACKS_STATE)
  :: else
  fi;
  assert(agreed[view] == 0 || agreed[view] == chosen); /* agreement; one primary */
  agreed[view] = chosen;
  in[me] = (KEPT(chosen) & BIT(me) -> view + 1 : OUT);
  if
  :: in[me] != OUT && me != JOINER && !JOINER_IS_IN(view) ->
     admit_named(me, view + 1, chosen);
     if
     :: most_attempts[1] == 0 -> link[me] = 0
     :: else
     fi;
     shown[me] = (link[me] && !NAMED(chosen))
  :: else
  fi;
  if
  :: me != JOINER && (in[me] == OUT || in[me] == 2) -> /* equal futures are to be equal states */
     shown[me] = 0;
     link[me] = (in[me] == OUT && view == 0 -> 0 : link[me])
  :: else
  fi;
  chosen = 0
}

/* 5. The joiner counts in v+1, and not in v. */
#define DECIDED(view, me, number) \
  (value[TRY(view, number)] && \
   ((!(variant == JOINER_COUNTS_IN_V && view == 0 && NAMED(value[TRY(view, number)])) && \
     IS_QUORUM(votes[TRY(view, number)] & READABLE(me), MEMBERS_OF(view))) || \
    (variant == JOINER_COUNTS_IN_V && view == 0 && NAMED(value[TRY(view, number)]) && \
     IS_QUORUM(votes[TRY(view, number)] | BIT(JOINER), VOTERS | BIT(JOINER)))))
#define READABLE(me) \
  ((READS(me, 0) -> 1 : 0) | (READS(me, 1) -> 2 : 0) | (MEMBERS > 2 && READS(me, LAST) -> BIT(LAST) : 0) | \
   (READS(me, JOINER) -> BIT(JOINER) : 0))
#define SAYS_SO(view, me, other) \
  (!(GIVEN(view)) && ((MEMBERS_OF(view)) & BIT(other)) && in[other] > (view) && in[me] == (view) && \
   agreed[view] && READS(me, other))

/* 4. adopt and compose. */
inline propose(me, view, number, kept, stay, named) {
  best = number - 1;
  do
  :: best && !(votes[TRY(view, best)] & (kept)) -> best--
  :: else -> break
  od;
  if
  :: best -> value[TRY(view, number)] = value[TRY(view, best)]
  :: else ->
     lacks = (last_lacks_state && ((stay) & BIT(LAST)) && !HAS_STATE(me) -> LACKS_STATE : 0);
     value[TRY(view, number)] = (stay) | lacks | (named -> link[me] << 4 : 0)
  fi;
  votes[TRY(view, number)] = votes[TRY(view, number)] | BIT(me);
  if
  :: variant == WELCOME_BEFORE_DECISION && NAMED(value[TRY(view, number)]) && me != JOINER ->
     write_welcome(me, view + 1, value[TRY(view, number)])
  :: else
  fi;
  best = 0;
  lacks = 0
}

#define HAVE_PROMISED(view, me, number, kept) \
  ((!((kept) & 1) || promised[ROW(view, 0)] == number) && \
   (!((kept) & 2) || promised[ROW(view, 1)] == number) && \
   (MEMBERS < 3 || !((kept) & 4) || promised[ROW(view, LAST)] == number) && \
   (!((kept) & BIT(JOINER)) || promised[ROW(view, JOINER)] == number))
#define MAY_PROPOSE(me, view, number, kept) \
  (VOTES(view, me) && opener[TRY(view, number)] == 1 + me && promised[ROW(view, me)] == number && \
   !value[TRY(view, number)] && ((kept) & BIT(me)) && \
   ((kept) & MEMBERS_OF(view)) == (kept) && ((kept) & READABLE(me)) == (kept) && \
   IS_QUORUM(kept, MEMBERS_OF(view)) && HAVE_PROMISED(view, me, number, kept))

/* Sets that are no quorum of any view here are not tried. */
#define PROPOSE(view, number, kept) \
  :: d_step { MAY_PROPOSE(me, view, number, kept) -> propose(me, view, number, kept, kept, false) } \
  :: d_step { MAY_PROPOSE(me, view, number, kept) && CAN_NAME(view, me, kept) -> \
       propose(me, view, number, kept, kept, true) } \
  :: d_step { leaving && (view) == 0 && ((kept) & BIT(LAST)) && MAY_PROPOSE(me, view, number, kept) -> \
       propose(me, view, number, kept, STAYERS(kept), false) } \
  :: d_step { leaving && (view) == 0 && ((kept) & BIT(LAST)) && MAY_PROPOSE(me, view, number, kept) && \
       CAN_NAME(view, me, STAYERS(kept)) -> propose(me, view, number, kept, STAYERS(kept), true) }
#define STAYERS(kept) ((kept) & ~BIT(LAST))

/* 2. Whoever can be the lowest of a quorum opens. */
#define CAN_LEAD(me, view) \
  IS_QUORUM(MEMBERS_OF(view) & ~(BIT(me) - 1), MEMBERS_OF(view))

#define VOTE(view, number) \
  :: d_step { VOTES(view, me) && number <= most_attempts[view] && !opener[TRY(view, number)] && \
       promised[ROW(view, me)] < number && CAN_LEAD(me, view) -> \
       opener[TRY(view, number)] = 1 + me; promised[ROW(view, me)] = number } \
  :: d_step { VOTES(view, me) && opener[TRY(view, number)] && promised[ROW(view, me)] < number && \
       READS(me, opener[TRY(view, number)] - 1) -> promised[ROW(view, me)] = number } \
  :: d_step { VOTES(view, me) && value[TRY(view, number)] && promised[ROW(view, me)] <= number && \
       !(votes[TRY(view, number)] & BIT(me)) && READS(me, opener[TRY(view, number)] - 1) -> \
       promised[ROW(view, me)] = number; \
       votes[TRY(view, number)] = votes[TRY(view, number)] | BIT(me) } \
  :: d_step { VOTES(view, me) && DECIDED(view, me, number) -> \
       end_view(me, view, value[TRY(view, number)]) } \
  PROPOSE(view, number, 1) PROPOSE(view, number, 3) PROPOSE(view, number, 5) \
  PROPOSE(view, number, 6) PROPOSE(view, number, 7)
#define VOTE_WITH_JOINER(number) \
  PROPOSE(1, number, 2) PROPOSE(1, number, 9) PROPOSE(1, number, 10) PROPOSE(1, number, 11) \
  PROPOSE(1, number, 12) PROPOSE(1, number, 13) PROPOSE(1, number, 14) PROPOSE(1, number, 15)

/* What follows v is given: whatever a quorum could have agreed on. */
#define GIVEN(view) ((view) == 0 && !most_attempts[0])
#define DECIDE(kept) \
  :: d_step { GIVEN(0) && !agreed[0] && ((kept) & BIT(me)) && ((kept) & VOTERS) == (kept) && \
       IS_QUORUM(kept, VOTERS) -> propose(me, 0, 1, kept, kept, false); give() } \
  :: d_step { GIVEN(0) && !agreed[0] && ((kept) & BIT(me)) && ((kept) & VOTERS) == (kept) && \
       IS_QUORUM(kept, VOTERS) && CAN_NAME(0, me, kept) -> propose(me, 0, 1, kept, kept, true); give() }
inline give() {
  agreed[0] = value[TRY(0, 1)];
  value[TRY(0, 1)] = 0;
  votes[TRY(0, 1)] = 0;
  i = 0;
  do
  :: i < MEMBERS && NAMED(agreed[0]) -> shown[i] = 0; i++
  :: else -> break
  od;
  i = 0
}

#define HEAR(view) \
  :: d_step { GIVEN(view) && VOTES(view, me) && agreed[view] && (MEMBERS_OF(view) & BIT(me)) -> \
       end_view(me, view, agreed[view]) } \
  :: d_step { VOTES(view, me) && (SAYS_SO(view, me, 0) || SAYS_SO(view, me, 1) || \
       SAYS_SO(view, me, LAST) || (alive == NAMED(agreed[0]) && alive && \
       SAYS_SO(view, me, JOINER))) -> end_view(me, view, agreed[view]) }

proctype Place(byte me) {
end:
  do
  VOTE(0, 1)
  VOTE(0, 2)
  HEAR(0)
  DECIDE(1) DECIDE(3) DECIDE(5) DECIDE(6) DECIDE(7)
  VOTE(1, 1)
  VOTE_WITH_JOINER(1)
  VOTE(1, 2)
  VOTE_WITH_JOINER(2)
  HEAR(1)
  od
}

/* Views::admit, Member::meet: also of a connection that comes late, from an incarnation that is no more. */
#define ADOPT(me, incarnation) \
  :: d_step { came >= incarnation && IS_FREE(me) && link[me] != incarnation -> \
       link[me] = incarnation; shown[me] = !SETTLED(me) }
/* Who is named is settled: what is joinable matters no more. */
#define SETTLED(me) (GIVEN(0) && in[me] == 0 && agreed[0] && NAMED(agreed[0]))
#define LOSE(me) :: d_step { !calm && IS_FREE(me) && link[me] -> link[me] = 0 }

/* find_welcome, Member::await_welcome. */
#define MEANT_FOR(me) \
  (welcome[me] && (NAMED(welcome[me]) == alive || any_nonce || variant == NONCES_NEVER_COMPARED))
#define BEGIN(me) \
  :: d_step { alive && in[JOINER] == 0 && MEANT_FOR(me) -> \
       assert(NAMED(welcome[me]) == alive);                  /* it is meant */ \
       assert(agreed[welcome_view[me] - 1] == welcome[me]);  /* a quorum decided that view */ \
       in[JOINER] = welcome_view[me]; forget_welcomes() }

inline forget_welcomes() {
  i = 0;
  do
  :: i < MEMBERS -> welcome[i] = 0; welcome_view[i] = 0; i++
  :: else -> break
  od;
  i = 0
}

proctype Joiner() {
end:
  do
  :: d_step { !alive && came < most_comings -> came++; alive = came }
  :: d_step { alive && !calm -> alive = 0; in[JOINER] = 0; forget_welcomes() }
  ADOPT(0, 1)
  ADOPT(1, 1)
  ADOPT(LAST, 1)
  ADOPT(0, 2)
  ADOPT(1, 2)
  ADOPT(LAST, 2)
  LOSE(0)
  LOSE(1)
  LOSE(LAST)
  BEGIN(0)
  BEGIN(1)
  BEGIN(LAST)
  :: d_step { last_lacks_state && !loaded -> loaded = true }
  :: d_step { last_may_leave && !leaving -> leaving = true }
  :: d_step { loaded && !told -> told = true }
  od
}

init {
  d_step {
    c_code {
      variant = setting("VARIANT");
      most_attempts[0] = setting("FIRST");
      most_attempts[1] = setting("SECOND");
      most_comings = setting("COMINGS");
      calm = setting("CALM");
      last_lacks_state = setting("STATELESS");
      last_may_leave = setting("LEAVER");
      any_nonce = setting("ANY_NONCE");
    }
  }
  atomic {
    run Place(0);
    run Place(1);
#if MEMBERS > 2
    run Place(2);
#endif
    run Place(JOINER);
    run Joiner();
  }
}
