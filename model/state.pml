/* Who has the state: views one after another, as many as there can be, of up to MEMBERS members.
 * Whatever a quorum decides is one step; whom it leaves out, who leaves, whether somebody joins and
 * when a joiner has loaded the state is free. Ranks are as Views::next_layout gives them.
 *
 * What Agreement::who_joins is there for: joiners may all die and cost no quorum; each quorum holds
 * somebody who has the state. From the environment: VARIANT; LEAVES=1, members leave; UNMENDED
 * (as it was, docs/model.md), 1: a quorum that lacks the state goes on, and the last who has it may leave, 2: who
 * lacks the state is counted, and not asked whether the others are a quorum.
 */
#include "variants.pml"
#include "sets.pml"
#ifndef MEMBERS
#define MEMBERS 5
#endif

hidden byte variant;
hidden byte unmended;
hidden byte may_leave; /* members, while others stay */
hidden byte rank, next_with, next_count;

byte count = 2; /* members of the view */
byte with = 3;  /* ranks that have the state, a bit each */
byte kept;      /* K… */
byte stays;     /* …and who of it stays */

#define EVERYBODY(count) ((1 << (count)) - 1)
/* Who goes on, in rank order. */
inline find_next() {
  rank = 0;
  next_with = 0;
  next_count = 0;
  do
  :: rank < count ->
     if
     :: stays & BIT(rank) ->
        next_with = next_with | ((with & BIT(rank)) -> BIT(next_count) : 0);
        next_count++
     :: else
     fi;
     rank++
  :: else -> break
  od;
  rank = 0
}

/* who_joins: the joiner has the last rank. */
#define MAY_NAME \
  (next_count < MEMBERS && \
   (variant == ANY_JOINERS || \
    (unmended == 2 && 2 * COUNT(next_with) > next_count) || \
    (unmended != 2 && IS_QUORUM(next_with, EVERYBODY(next_count + 1)))))
#define MAY_GO_ON (unmended == 1 || (kept & with)) /* with this K */
#define MAY_STAY_ALONE (unmended == 1 || (stays & with))

inline go_on(joins) {
  find_next();
  if
  :: joins && MAY_NAME ->
     next_count++;
     /* joiners that die at once cost no quorum */
     assert(IS_QUORUM(next_with, EVERYBODY(next_count)))
  :: else
  fi;
  count = next_count;
  with = next_with;
  kept = 0;
  stays = 0;
  next_with = 0;
  next_count = 0;
  assert(with) /* the state is not lost while a quorum goes on */
}

/* Somebody in the view has the state, so who lacks it may have got it by now. */
#define LOAD(rank) \
  :: d_step { !kept && count > (rank) && !(with & BIT(rank)) -> with = with | BIT(rank) }

active proctype View() {
  c_code {
    variant = setting("VARIANT");
    unmended = setting("UNMENDED");
    may_leave = setting("LEAVES");
  };
end:
  do
  LOAD(0) LOAD(1) LOAD(2) LOAD(3) LOAD(4)
  /* 2. Any quorum, and any part of it that stays. */
  :: d_step { kept < EVERYBODY(count) && !stays -> kept++ }
  :: d_step { kept && IS_QUORUM(kept, EVERYBODY(count)) && MAY_GO_ON && stays < kept ->
       stays = (may_leave -> stays + 1 : kept) }
  :: d_step { stays && !(stays & ~kept) && MAY_STAY_ALONE -> go_on(false) }
  :: d_step { stays && !(stays & ~kept) && MAY_STAY_ALONE -> go_on(true) }
  od
}
