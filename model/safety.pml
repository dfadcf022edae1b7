/* Safety: whatever anybody observes, whenever. K is any quorum, at any moment, anew for each act; so
 * no property here rests on who reports whom, on clocks or on deadlines.
 *
 * Bounds come from the environment (table.pml): VARIANT, ATTEMPTS, BLOCKS, SENDERS, LEAVERS.
 */
#define POSTS 12
#define GOES_OUT(me, peer) true
#include "variants.pml"
#include "table.pml"
#include "agreement.pml"

byte attempts;
byte blocks;

#define WEDGED(me) (promised[AT(me, me)] && variant != NO_WEDGE)
#if MEMBERS == 2
#define HELD_BY_ALL(me) (holds[AT(me, 0)] & holds[AT(me, 1)])
#define HELD_BY_QUORUM(me) HELD_BY_ALL(me)
#else
#define HELD_BY_ALL(me) (holds[AT(me, 0)] & holds[AT(me, 1)] & holds[AT(me, 2)])
#define HELD_BY_QUORUM(me) \
  (holds[AT(me, 0)] & holds[AT(me, 1)] | holds[AT(me, 0)] & holds[AT(me, 2)] | \
   holds[AT(me, 1)] & holds[AT(me, 2)])
#endif

/* Delivering the moment it is possible is the worst that a member can do to the others. */
inline deliver(me) {
  delivered[me] =
      delivered[me] | (variant == STABLE_AMONG_KEPT -> HELD_BY_QUORUM(me) : HELD_BY_ALL(me));
  assert(agreed == 0 || (delivered[me] & ~TRIM(agreed)) == 0)
}

/* 2. may_open: there is a K that the arbiter may open with. */
#define OPENER_IS_LEFT_OUT(me, kept) (!highest || !((kept) & BIT(OPENER_OF(highest))))
#define CAN_OPEN_WITH(me, kept) \
  (((kept) & ALL) == (kept) && LOWEST(kept) == BIT(me) && \
   (variant == NO_QUORUM || QUORUM_OF(kept, ALL)) && OPENER_IS_LEFT_OUT(me, kept))

#define ACT_ON(from) \
  :: d_step { !ended[me] && me != from && len(link[AT(me, from)]) > 0 -> \
       arrive(me, from); deliver(me) } \
  :: d_step { !ended[me] && me != from && !WEDGED(me) && (holds[AT(me, from)] & BIT(from)) && \
       !(holds[AT(me, me)] & BIT(from)) -> \
       holds[AT(me, me)] = holds[AT(me, me)] | BIT(from); touched = HOLDS; push(me); deliver(me) } \
  :: d_step { me != from && !ended[from] && !blocked[AT(from, me)] && blocks < most_blocks && \
       !ended[me] -> blocks++; blocked[AT(from, me)] = true } \
  :: d_step { me != from && blocked[AT(from, me)] -> blocked[AT(from, me)] = false; \
       if :: owed[AT(from, me)] -> post(from, me) :: else fi }

#define LEAD(kept) \
  :: d_step { !ended[me] && ((kept) & ALL) == (kept) && ((kept) & BIT(me)) && \
       OPENED(me) -> propose(me, kept); push(me) }
#define OPENED(me) (promised[AT(me, me)] && OPENER_OF(promised[AT(me, me)]) == me)

proctype Member(byte me) {
end:
  do
  :: ended[me] && !blocked[AT(0, me)] && !blocked[AT(1, me)] && !blocked[AT(MEMBERS - 1, me)] ->
     break
  ACT_ON(0)
  ACT_ON(1)
#if MEMBERS > 2
  ACT_ON(2)
#endif
  :: d_step { !ended[me] -> learn(me, BIT(me));
       if :: learned :: else -> follow(me); learn(me, BIT(me)) fi;
       push(me);
       if :: learned -> end_view(me) :: else fi }
  :: d_step { !ended[me] && attempts < most_attempts -> find_highest(me);
       if
       :: CAN_OPEN_WITH(me, 1) || CAN_OPEN_WITH(me, 2) || CAN_OPEN_WITH(me, 3) ||
          CAN_OPEN_WITH(me, 4) || CAN_OPEN_WITH(me, 5) || CAN_OPEN_WITH(me, 6) ||
          CAN_OPEN_WITH(me, 7) -> attempts++; open(me); push(me)
       :: else
       fi }
  LEAD(1)
  LEAD(2)
  LEAD(3)
  LEAD(4)
  LEAD(5)
  LEAD(6)
  LEAD(7)
  :: d_step { !ended[me] && (may_leave & BIT(me)) && !leaving[AT(me, me)] ->
       leaving[AT(me, me)] = 1; touched = SIGHT; push(me) }
  od
}

init {
  d_step {
    c_code {
      variant = setting("VARIANT");
      most_attempts = setting("ATTEMPTS");
      most_blocks = setting("BLOCKS");
      senders = setting("SENDERS");
      may_leave = setting("LEAVERS");
    }
    owner = 0;
    do
    :: owner < MEMBERS ->
       if
       :: senders & BIT(owner) ->
          holds[AT(owner, owner)] = BIT(owner); touched = HOLDS; push(owner)
       :: else
       fi;
       owner++
    :: else -> break
    od
  }
  atomic {
    run Member(0);
    run Member(1);
#if MEMBERS > 2
    run Member(2);
#endif
  }
}
