/* Progress of joins: three members and one name that joins. Members and the joiner crash, the joiner
 * comes again, a link to it breaks, all at any moment; then everybody who is left is to be in one
 * view, or to know that it is out, or to lack a quorum for a reason that is stated (`judge`).
 *
 * That an agreement ends is progress.pml's to show: here it is one step, which a quorum can take that
 * is alive and in the view, and what it decided is known to nobody until he installs it. To crash with a
 * proposal that is decided later is to crash right after that step. Whoever is dead, or whose link is
 * down, is noticed sooner or later; silence is not modelled, and nothing here may depend on it.
 *
 * Bounds come from the environment: VARIANT; COMINGS of the joiner; DIES=1, it crashes; CRASHES,
 * members that may crash, a bit each; BREAKS, links to the joiner that break.
 */
#include "variants.pml"
#include "sets.pml"
#ifndef MEMBERS
#define MEMBERS 3
#endif
#define PLACES 4
#define JOINER 3
#define MOST_VIEWS 12

hidden byte variant;
hidden byte most_comings;
hidden byte joiner_dies;
hidden byte may_crash;
hidden byte most_breaks;
hidden byte unmended; /* as it was: also with a view that has ended without it */

/* What was decided. */
byte latest;              /* view; the first is 0 */
byte members[MOST_VIEWS]; /* places */
byte named[MOST_VIEWS];   /* the incarnation of the joiner, in views that have it */
byte arbiter[MOST_VIEWS]; /* who decided it */

byte crashed; /* members, a bit each */
byte came;    /* incarnations of the joiner so far */
byte alive;   /* the one that runs, or 0 */
byte breaks;
bool settled;
bool due; /* K may decide how the latest view ends */

byte in[PLACES];        /* the view that a place is in */
bool out[MEMBERS];      /* knows that the others went on without it */
bool begun;             /* the joiner is in a view */
bool previous[MEMBERS]; /* still has the view before */
byte link[MEMBERS];     /* to which incarnation, or 0: none that works */
bool lost[MEMBERS];     /* in its view it counts the joiner's link as down */
bool there[MEMBERS];    /* the joiner's end of a link */
byte stood[MEMBERS];    /* in which view the member was when it made that link */
byte welcome[MEMBERS];  /* in the memory of the incarnation that runs: a view, or 0 */

hidden byte i, set, kept, conflicts[PLACES];

#define HAS(view, place) (members[view] & BIT(place))
#define RUNS(me) (!(crashed & BIT(me)) && !out[me])
/* The joiner as `view` means it. */
#define IS_HERE(view) (alive && alive == named[view])
#define IN_IT(view) (begun && in[JOINER] == (view) && IS_HERE(view))
/* Views::is_free */
#define IS_FREE(me) (!HAS(in[me], JOINER) && !(previous[me] && HAS(in[me] - 1, JOINER)))

/* 2. keep: reports of those who are there, and the kept set. */
#define DEAD(view) \
  ((members[view] & crashed) | ((HAS(view, JOINER) && !IS_HERE(view)) -> BIT(JOINER) : 0))
inline find_kept() {
  i = 0;
  do
  :: i < MEMBERS ->
     conflicts[i] = 0;
     if
     :: in[i] == latest && !(crashed & BIT(i)) && lost[i] -> conflicts[i] = BIT(JOINER)
     :: else
     fi;
     if
     :: IN_IT(latest) && !there[i] -> conflicts[i] = BIT(JOINER)
     :: else
     fi;
     i++
  :: else -> break
  od;
  set = 1;
  kept = 0;
  do
  :: set < 16 ->
     if
     :: !(set & ~members[latest]) && !(set & DEAD(latest)) &&
        !((set & 1) && (set & conflicts[0])) && !((set & 2) && (set & conflicts[1])) &&
        !((set & 4) && (set & conflicts[2])) &&
        (COUNT(set) > COUNT(kept) ||
         (COUNT(set) == COUNT(kept) && (set & LOWEST(set ^ kept)))) -> kept = set
     :: else
     fi;
     set++
  :: else -> break
  od;
  set = 0
}

/* All of K are wedged in the view: so they are in it. */
#define PRESENT(me) (!(kept & BIT(me)) || (in[me] == latest && RUNS(me)))
#define ALL_PRESENT \
  (PRESENT(0) && PRESENT(1) && PRESENT(2) && (!(kept & BIT(JOINER)) || IN_IT(latest)))
/* who_joins */
#define KNOWS_IT(me) (!(kept & BIT(me)) || (link[me] && IS_FREE(me)))
#define CAN_NAME (!HAS(latest, JOINER) && KNOWS_IT(0) && KNOWS_IT(1) && KNOWS_IT(2))
#define FIRST_OF(set) (((set) & 1) -> 0 : (((set) & 2) -> 1 : 2))

/* 2 to 5, as one step. */
inline decide() {
  assert(latest + 1 < MOST_VIEWS); /* progress: no views without end */
  find_kept();
  i = FIRST_OF(kept);
  named[latest + 1] =
      ((kept & BIT(JOINER)) -> named[latest] : (CAN_NAME -> link[i] : 0));
  members[latest + 1] = kept | (named[latest + 1] -> BIT(JOINER) : 0);
  arbiter[latest + 1] = i;
  latest++;
  kept = 0;
  i = 0
}

/* After every step. */
inline look() {
  find_kept();
  due = IS_QUORUM(kept, members[latest]) && ALL_PRESENT && (kept != members[latest] || CAN_NAME);
  kept = 0;
  i = 0
}

/* Who is in a view learns how it ended from who keeps it, or with a quorum that does not know. */
#define TELLS(me, other) \
  ((other) != (me) && RUNS(other) && in[other] == in[me] + 1 && previous[other] && \
   HAS(in[me], other))
#define PRESENT_IN(view) \
  (((in[0] == (view) && RUNS(0)) -> 1 : 0) | ((in[1] == (view) && RUNS(1)) -> 2 : 0) | \
   ((in[2] == (view) && RUNS(2)) -> 4 : 0) | (IN_IT(view) -> BIT(JOINER) : 0))
#define JOINER_TELLS(me) \
  (begun && (me) != JOINER && in[JOINER] == in[me] + 1 && HAS(in[me], JOINER) && \
   named[in[me]] == alive && there[(me) % MEMBERS] && !lost[(me) % MEMBERS])
#define CAN_LEARN(me) \
  (in[me] < latest && (IS_QUORUM(PRESENT_IN(in[me]) & members[in[me]], members[in[me]]) || \
                       TELLS(me, 0) || TELLS(me, 1) || TELLS(me, 2) || JOINER_TELLS(me)))
/* Member::heed: a question to who is in a later view without the one who asks. */
#define IS_WITHOUT(me, other) \
  (RUNS(other) && in[other] > in[me] && !HAS(in[other], me))
#define JOINER_IS_OUT(other) \
  (RUNS(other) && in[other] > in[JOINER] && \
   (!HAS(in[other], JOINER) || named[in[other]] != alive))

/* drop_evicted */
#define EVICTED_IT(me) (HAS(in[me] - 1, JOINER) && !HAS(in[me], JOINER))
#define MAY_DROP(me) (previous[me] && !(variant == LINK_STAYS_IN_USE && EVICTED_IT(me)))
inline drop_previous(me) {
  if
  :: MAY_DROP(me) && EVICTED_IT(me) -> close_link(me)
  :: else
  fi;
  previous[me] = previous[me] && !MAY_DROP(me)
}

/* The joiner's end goes down with the member's. */
inline forget_member(me) {
  there[me] = false;
  stood[me] = 0;
  welcome[me] = 0
}

inline close_link(me) {
  if
  :: link[me] == alive || lost[me] -> forget_member(me)
  :: else
  fi;
  link[me] = 0;
  lost[me] = false
}

/* 6. Views::finish */
inline install(me) {
  if
  :: previous[me] -> drop_previous(me)
  :: else
  fi;
  in[me]++;
  if
  :: !HAS(in[me], me) -> out[me] = true; close_link(me)
  :: else ->
     previous[me] = true;
     if
     :: HAS(in[me], JOINER) && !HAS(in[me] - 1, JOINER) ->
        lost[me] = link[me] != named[in[me]]; /* lose_who_is_not_there */
        if
        :: !lost[me] && link[me] == alive &&
           (variant != ONE_WELCOME || arbiter[in[me]] == me) -> welcome[me] = in[me]
        :: else
        fi
     :: else
     fi
  fi
}

#define SHOWS(view, place) \
  (!HAS(view, place) || in[place] >= (view))
#define ALL_SHOW(me) \
  (SHOWS(in[me], 0) && SHOWS(in[me], 1) && SHOWS(in[me], 2) && \
   (!HAS(in[me], JOINER) || IN_IT(in[me]) || (IS_HERE(in[me]) && begun && in[JOINER] > in[me])))

/* What a member does, and what becomes of it. */
#define MEMBER(me) \
  :: d_step { RUNS(me) && CAN_LEARN(me) -> install(me); look() } \
  :: d_step { RUNS(me) && MAY_DROP(me) && ALL_SHOW(me) -> drop_previous(me); look() } \
  :: d_step { RUNS(me) && (IS_WITHOUT(me, 0) || IS_WITHOUT(me, 1) || IS_WITHOUT(me, 2)) -> \
       out[me] = true; close_link(me); look() } \
  :: d_step { RUNS(me) && link[me] && link[me] != alive && !lost[me] -> \
       lost[me] = (HAS(in[me], JOINER) != 0); link[me] = 0; look() } \
  :: d_step { (may_crash & BIT(me)) && !crashed && !settled -> crash(me); look() }

/* What the joiner does with a member: dials who has room; sees that it is gone; begins; hears that a
 * later view is without it; and the link between them breaks. */
#define JOIN(me) \
  :: d_step { alive && !begun && !there[me] && RUNS(me) && IS_FREE(me) -> \
       there[me] = true; link[me] = alive; lost[me] = false; stood[me] = in[me]; look() } \
  :: d_step { alive && there[me] && (crashed & BIT(me)) -> forget_member(me); look() } \
  :: d_step { alive && !begun && there[me] && welcome[me] && NEWEST(me) && MAY_BEGIN(me) -> \
       begun = true; in[JOINER] = welcome[me]; forget_welcomes(); look() } \
  :: d_step { begun && JOINER_IS_OUT(me) -> leave_for_good(); look() } \
  :: d_step { breaks < most_breaks && alive && there[me] && RUNS(me) && link[me] == alive -> \
       breaks++; lost[me] = (HAS(in[me], JOINER) != 0); link[me] = 0; forget_member(me); look() }

inline crash(me) {
  crashed = crashed | BIT(me);
  link[me] = 0;
  lost[me] = false;
  previous[me] = false
}

/* await_welcome: with a link to all, or when its patience is over, which may be at any moment. A member
 * that made its link in that view or a later one shows that the view has ended without the joiner. */
#define NEWEST(me) \
  (welcome[me] >= welcome[0] && welcome[me] >= welcome[1] && welcome[me] >= welcome[2])
#define WAS_MADE_BEFORE(me, view) \
  (unmended || !there[me] || !HAS(view, me) || stood[me] < (view))
#define MAY_BEGIN(me) \
  (WAS_MADE_BEFORE(0, welcome[me]) && WAS_MADE_BEFORE(1, welcome[me]) && \
   WAS_MADE_BEFORE(2, welcome[me]) && MAY_BEGIN_ALONE(me))
#define MAY_BEGIN_ALONE(me) \
  (variant != WAITS_FOR_ALL || \
   ((!HAS(welcome[me], 0) || there[0]) && (!HAS(welcome[me], 1) || there[1]) && \
    (!HAS(welcome[me], 2) || there[2])))

inline forget_welcomes() {
  i = 0;
  do
  :: i < MEMBERS -> welcome[i] = 0; stood[i] = 0; i++
  :: else -> break
  od;
  i = 0
}

/* It ends; its links go down with it, which members notice when they do. */
inline leave_for_good() {
  alive = 0;
  begun = false;
  in[JOINER] = 0;
  forget_welcomes();
  there[0] = false;
  there[1] = false;
  there[2] = false
}

inline learn_as_joiner() {
  in[JOINER]++;
  if
  :: !HAS(in[JOINER], JOINER) || named[in[JOINER]] != alive -> leave_for_good()
  :: else
  fi
}

/* Nothing moves any more. Of four, the lowest rank and the joiner may not both be missed: the two
 * who are left are half of them, without the lowest rank. */
#define WELL(me) \
  ((crashed & BIT(me)) || out[me] || (in[me] == latest && HAS(latest, me)))
#define MISSED(view, me) (!IN_IT(view) || (RUNS(me) && (lost[me] || !there[me])))
#define HALF_IS_MISSED(view) \
  ((crashed & LOWEST(members[view])) && COUNT(members[view]) == 4 && \
   (MISSED(view, 0) || MISSED(view, 1) || MISSED(view, 2)))
#define EXCUSED(me) (!RUNS(me) || HALF_IS_MISSED(in[me]))
inline judge() {
  settled = true;
  find_kept();
  set = kept;
  kept = 0;
  if
  :: IS_QUORUM(set, members[latest]) && WELL(0) && WELL(1) && WELL(2) ->
     assert(!(members[latest] & DEAD(latest))); /* who is dead is left out */
     assert(!alive || IN_IT(latest))            /* who asks is let in, sooner or later */
  :: else ->
     assert(may_crash && (joiner_dies || most_breaks)); /* one of the two alone stops nobody */
     assert(EXCUSED(0) && EXCUSED(1) && EXCUSED(2))
  fi;
  set = 0
}

proctype World() {
end:
  do
  :: d_step { !alive && came < most_comings -> came++; alive = came; look() }
  :: d_step { alive && joiner_dies && came < most_comings && !settled -> leave_for_good(); look() }
  :: d_step { begun && CAN_LEARN(JOINER) -> learn_as_joiner(); look() }
  MEMBER(0) MEMBER(1) MEMBER(2)
  JOIN(0) JOIN(1) JOIN(2)
  :: d_step { due -> decide(); look() }
  :: timeout && !settled -> d_step { judge() }
  od
}

init {
  d_step {
    c_code {
      variant = setting("VARIANT");
      most_comings = setting("COMINGS");
      joiner_dies = setting("DIES");
      may_crash = setting("CRASHES");
      most_breaks = setting("BREAKS");
      unmended = setting("UNMENDED");
    }
    members[0] = 7
  }
  run World()
}
