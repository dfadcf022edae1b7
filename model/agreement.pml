/* membership/agreement.cpp, function by function. Numbers are the steps of DESIGN §6. Everything
 * here runs inside a d_step: a member's turn of its loop sees the table as it is at one moment. */

/* Attempt::number, of one view; 0 is none. */
#define NUMBER(round, rank) ((round) * MEMBERS + (rank) + 1)
#define ROUND_OF(number) (((number) - 1) / MEMBERS)
#define OPENER_OF(number) (((number) - 1) % MEMBERS)

/* is_quorum */
#define QUORUM_OF(set, all) \
  (2 * COUNT((set) & (all)) > COUNT(all) || \
   (2 * COUNT((set) & (all)) == COUNT(all) && \
    (variant == HALF_WITHOUT_LOWEST || ((set) & LOWEST(all)))))
#define QUORUM(me, set) \
  ((variant != QUORUM_OF_STAYERS && QUORUM_OF(set, ALL)) || \
   (variant == QUORUM_OF_STAYERS && QUORUM_OF(set, ALL & ~leaves)))

byte agreed;             /* the value that the first member to end the view ended it with */
byte delivered[MEMBERS]; /* frames, a bit per sender */
bool proposed_twice;     /* in the variant that does; once is enough */

hidden byte rank, ranks, number, best, owner, chosen, highest, leaves, trim, acceptors, scan;
hidden byte learned;

inline find_leaves(me) {
  rank = 0;
  leaves = 0;
  do
  :: rank < MEMBERS -> leaves = leaves | (leaving[AT(me, rank)] << rank); rank++
  :: else -> break
  od
}

inline find_highest(me) {
  rank = 0;
  highest = 0;
  do
  :: rank < MEMBERS ->
     if
     :: promised[AT(me, rank)] > highest -> highest = promised[AT(me, rank)]
     :: else
     fi;
     rank++
  :: else -> break
  od
}

/* who_accepted, who_promised: into `acceptors` and `ranks`. */
inline find_acceptors(me, under) {
  scan = 0;
  acceptors = 0;
  do
  :: scan < MEMBERS ->
     if
     :: accepted[AT(me, scan)] == under -> acceptors = acceptors | BIT(scan)
     :: else
     fi;
     scan++
  :: else -> break
  od
}

inline find_promisers(me) {
  rank = 0;
  ranks = 0;
  do
  :: rank < MEMBERS ->
     if
     :: promised[AT(me, rank)] == highest -> ranks = ranks | BIT(rank)
     :: else
     fi;
     rank++
  :: else -> break
  od
}

inline accept(me, what, under) {
  content[AT(me, me)] = what;
  content_number[AT(me, me)] = under;
  accepted[AT(me, me)] = under;
  touched = touched | VALUE | ACCEPTED
}

/* 3. Wedge, then promise. */
inline promise(me, what) {
  if
  :: promised[AT(me, me)] == 0 -> received[AT(me, me)] = holds[AT(me, me)]
  :: else
  fi;
  promised[AT(me, me)] = what;
  touched = touched | PROMISED
}

/* learn_from: the value slot must still be the one that the number speaks of. */
inline learn_from(me, from, under) {
  if
  :: accepted[AT(me, me)] >= under -> learned = true
  :: accepted[AT(me, me)] < under && content_number[AT(me, from)] == under ->
     accept(me, content[AT(me, from)], under);
     learned = true
  :: else
  fi
}

/* 5. A quorum of acceptances under one number, or anybody's `decided`. */
inline learn(me, expected) {
  find_leaves(me);
  learned = false;
  rank = 0;
  do
  :: rank < MEMBERS && !learned ->
     if
     :: decided[AT(me, rank)] && variant != NO_DECIDED ->
        number = decided[AT(me, rank)];
        learn_from(me, rank, number)
     :: else
     fi;
     if
     :: !learned && accepted[AT(me, rank)] ->
        number = accepted[AT(me, rank)];
        find_acceptors(me, number);
        if
        :: (variant != NO_QUORUM && QUORUM(me, acceptors)) ||
           (variant == NO_QUORUM && (expected & ~acceptors) == 0) ->
           learn_from(me, rank, number)
        :: else
        fi
     :: else
     fi;
     rank++
  :: else -> break
  od;
  if
  :: learned -> decided[AT(me, me)] = content_number[AT(me, me)]; touched = touched | DECIDED
  :: else
  fi
}

/* 5. accept_proposals, also above the own promise, which it then raises. */
inline accept_proposals(me) {
  rank = 0;
  do
  :: rank < MEMBERS ->
     number = accepted[AT(me, rank)];
     if
     :: number && OPENER_OF(number) == rank && number > accepted[AT(me, me)] &&
        content_number[AT(me, rank)] == number &&
        (number >= promised[AT(me, me)] || variant == ACCEPT_BELOW_PROMISE) ->
        if
        :: number > promised[AT(me, me)] -> promise(me, number)
        :: else
        fi;
        accept(me, content[AT(me, rank)], number)
     :: else
     fi;
     rank++
  :: else -> break
  od
}

/* 3 and 5. What a member does who leads nothing. */
inline follow(me) {
  find_highest(me);
  if
  :: highest > promised[AT(me, me)] -> promise(me, highest)
  :: else
  fi;
  accept_proposals(me)
}

/* 2. */
inline open(me) {
  if
  :: highest == 0 -> promise(me, NUMBER(0, me))
  :: else -> promise(me, NUMBER(ROUND_OF(highest) + 1, me))
  fi
}

/* 4. adopt: `chosen` is 0 when nothing was accepted; `best` stays 0 too then. */
inline adopt(me, kept) {
  rank = 0;
  best = 0;
  chosen = 0;
  do
  :: rank < MEMBERS && variant != NO_ADOPT && accepted[AT(me, me)] < highest ->
     number = accepted[AT(me, rank)];
     if
     :: (kept & BIT(rank)) && number &&
        ((variant != ADOPT_LOWEST && number > best) ||
         (variant == ADOPT_LOWEST && (best == 0 || number < best))) ->
        best = number;
        chosen = (content_number[AT(me, rank)] == number -> content[AT(me, rank)] : 0)
     :: else
     fi;
     rank++
  :: else -> break
  od
}

/* 4. compose: the lowest of what the kept ones hold. */
inline compose(me, kept) {
  find_leaves(me);
  trim = (variant == TRIM_BY_MOST -> 0 : ALL);
  rank = 0;
  do
  :: rank < MEMBERS ->
     if
     :: variant == TRIM_BY_OWN -> trim = received[AT(me, me)]
     :: variant == TRIM_BY_MOST && (kept & BIT(rank)) -> trim = trim | received[AT(me, rank)]
     :: variant != TRIM_BY_OWN && variant != TRIM_BY_MOST && (kept & BIT(rank)) ->
        trim = trim & received[AT(me, rank)]
     :: else
     fi;
     rank++
  :: else -> break
  od;
  chosen = ((kept & ~leaves) -> kept & ~leaves : kept) | (trim << MEMBERS)
}

#define PROPOSES_TWICE (variant == PROPOSE_TWICE && !proposed_twice)
#define VOTES(kept) (variant == LEAVER_DOES_NOT_VOTE -> (kept) & ~leaves : (kept))

/* 4. may_propose and propose. A value that is being overwritten is not adopted: the proposer
 * waits, for a higher attempt is on its way. */
inline propose(me, kept) {
  find_highest(me);
  find_promisers(me);
  find_leaves(me);
  if
  :: highest && highest == promised[AT(me, me)] && OPENER_OF(highest) == me &&
     (accepted[AT(me, me)] < highest || PROPOSES_TWICE) && (kept & BIT(me)) &&
     ((variant == PROMISE_NOT_AWAITED && QUORUM_OF(ranks, ALL)) ||
      (variant != PROMISE_NOT_AWAITED && (kept & ~ranks) == 0 &&
       (variant == NO_QUORUM || QUORUM(me, VOTES(kept))))) ->
     adopt(me, kept);
     proposed_twice = accepted[AT(me, me)] == highest;
     if
     :: best == 0 -> compose(me, kept)
     :: else
     fi;
     if
     :: chosen -> accept(me, chosen, highest)
     :: else
     fi
  :: else
  fi
}

/* 6. Views::finish. What every member ended the view with is one value, and whatever anybody
 * delivered is within its trim. */
inline end_view(me) {
  chosen = content[AT(me, me)];
  assert(agreed == 0 || agreed == chosen); /* agreement; one primary */
  agreed = chosen;
  rank = 0;
  do
  :: rank < MEMBERS ->
     assert((delivered[rank] & ~TRIM(agreed)) == 0); /* uniformity */
     rank++
  :: else -> break
  od;
  if
  :: KEPT(agreed) & BIT(me) ->
     assert((holds[AT(me, me)] & TRIM(agreed)) == TRIM(agreed)); /* nobody fetches anything */
     if
     :: variant == BEYOND_TRIM -> delivered[me] = holds[AT(me, me)]
     :: variant == SHORT_OF_TRIM
     :: else -> delivered[me] = TRIM(agreed)
     fi;
     assert(delivered[me] == TRIM(agreed)) /* all who go on delivered the same */
  :: else ->
     if
     :: variant == EVICTED_DELIVERS -> delivered[me] = holds[AT(me, me)]
     :: else
     fi;
     assert((delivered[me] & ~TRIM(agreed)) == 0)
  fi;
  ended[me] = true;
  forget(me);
  chosen = 0
}
