/* Progress: one member crashes, or one link breaks, both ways or one way, or nothing does; some
 * observations are false; then every member that can is to end the view, and a bounded number of
 * missed deadlines is to be enough for it.
 *
 * A deadline passes when nothing else can happen, and a few times before that. Bounds come from the
 * environment (table.pml): VARIANT, LEAVERS, and FALSE, EARLY, FAULTS and UNMENDED below.
 */
#define MEMBERS 3
#define POSTS 16
#define MOST_MISSES 8
#define LOST(reader, owner) ((crashed & BIT(owner)) || cut[AT(reader, owner)])
#define GOES_OUT(me, peer) (!LOST(peer, me))
/* What went wrong for good. */
byte crashed;                /* a bit per rank */
bool cut[MEMBERS * MEMBERS]; /* AT(reader, owner): nothing arrives any more */

#include "variants.pml"
#include "table.pml"
#include "agreement.pml"

hidden byte most_false; /* false observations, by all; each is taken back, sooner or later */
hidden byte faults;     /* which may happen: 1 a crash, 2 a link broken both ways, 4 one way */
hidden byte mended;     /* see MARKS_SERVE_NOBODY */
hidden byte most_early; /* deadlines that pass while posts are under way */
hidden byte kept, opener, shown;

bool fault;              /* the one that there is has happened */
bool settled;
byte observed[MEMBERS];  /* Observation and links down: a bit per rank */
byte missed[MEMBERS];    /* Agreement::missed_ */
byte awaited[MEMBERS];   /* whom the deadline runs for */
bool opened[MEMBERS];    /* has opened an attempt */
byte given[MEMBERS];     /* the attempt whose time is up */
bool patient[MEMBERS];   /* was outbid, and waits for that */
bool longer[MEMBERS];    /* its deadline is three times that of others: for an attempt, a proposal */
bool moved[MEMBERS];     /* something to look at since the last turn */
byte misses, falses, earlies;

#define RUNS(me) (!ended[me] && !(crashed & BIT(me)))

/* kept_set, for three members: of equally large sets the one with the lowest ranks. */
#define REPORTS(me, a, b) \
  ((unreachable[AT(me, a)] & BIT(b)) || (unreachable[AT(me, b)] & BIT(a)))
inline find_kept(me) {
  kept =
      (!REPORTS(me, 0, 1) && !REPORTS(me, 0, 2) && !REPORTS(me, 1, 2) -> 7 :
      (!REPORTS(me, 0, 1) -> 3 : (!REPORTS(me, 0, 2) -> 5 : (!REPORTS(me, 1, 2) -> 6 : 1))))
}

/* Marks are dropped when their owner has no quorum: when K is none, or leaves him out. With UNMENDED=1
 * only when K is none: two who have marked the one that both can reach may then each see a K of the
 * other two, and wait for ever (docs/model.md). */
#define MARKS_SERVE_NOBODY(me) \
  (!QUORUM_OF(kept, ALL) || (mended && !(kept & BIT(me))))

/* 2. keep */
inline keep(me) {
  shown = unreachable[AT(me, me)];
  unreachable[AT(me, me)] = observed[me] | missed[me];
  find_kept(me);
  if
  :: variant == KEEP_BY_OWN_REPORTS -> kept = ALL & ~unreachable[AT(me, me)]
  :: else
  fi;
  if
  :: missed[me] && MARKS_SERVE_NOBODY(me) && variant != STICKY_UNREACHABLE ->
     missed[me] = 0;
     unreachable[AT(me, me)] = observed[me];
     find_kept(me)
  :: else
  fi;
  if
  :: variant == KEEP_EVERYBODY -> kept = ALL
  :: else
  fi;
  if
  :: unreachable[AT(me, me)] != shown -> touched = touched | SIGHT
  :: else
  fi
}

/* 2. may_open: at once the first time; who was outbid gives the other attempt its time. */
inline lead(me) {
  find_highest(me);
  find_leaves(me);
  patient[me] = false;
  if
  :: QUORUM_OF(kept, ALL) && LOWEST(kept) == BIT(me) &&
     ((highest == 0 && (kept != ALL || leaves)) ||
      (highest && !(kept & BIT(OPENER_OF(highest))))) ->
     if
     :: opened[me] && given[me] != highest && variant != OUTBID_AT_ONCE -> patient[me] = true
     :: else ->
        opened[me] = true;
        open(me);
        /* progress: beyond everybody's first attempt each costs a deadline */
        assert(ROUND_OF(promised[AT(me, me)]) < MEMBERS + misses)
     fi
  :: else
  fi;
  propose(me, kept)
}

/* phase and wait: whom the deadline runs for. */
inline wait(me) {
  find_highest(me);
  find_leaves(me);
  find_promisers(me);
  find_acceptors(me, highest);
  opener = (highest -> BIT(OPENER_OF(highest)) : 0);
  longer[me] = true;
  if
  :: !QUORUM_OF(kept, ALL) || (kept == ALL && !highest && !leaves) -> awaited[me] = 0
  :: else ->
     if
     :: !(opener & kept) -> awaited[me] = LOWEST(kept) & ~BIT(me)
     :: (opener & kept) && (acceptors & opener) -> 
        awaited[me] = kept & ~acceptors & ~BIT(me); longer[me] = false
     :: (opener & kept) && !(acceptors & opener) && opener == BIT(me) ->
        awaited[me] = kept & ~ranks; longer[me] = false
     :: else -> awaited[me] = opener
     fi
  fi
}

/* Agreement::step, in its order. */
inline turn(me) {
  moved[me] = false;
  learn(me, BIT(me));
  if
  :: !learned -> follow(me); keep(me); lead(me); wait(me); learn(me, BIT(me))
  :: else
  fi;
  push(me);
  if
  :: learned ->
     end_view(me);
     observed[me] = 0;
     missed[me] = 0;
     awaited[me] = 0;
     patient[me] = false;
     longer[me] = false;
     given[me] = 0
  :: else
  fi
}

/* forgive_who_moved: words that only grow have grown. */
inline forgive(me, from) {
  if
  :: part >= ACCEPTED && variant != STICKY_UNREACHABLE ->
     missed[me] = missed[me] & ~BIT(from)
  :: else
  fi
}

inline empty_link(reader, owner) {
  do
  :: len(link[AT(reader, owner)]) > 0 -> link[AT(reader, owner)]?part,first,second
  :: else -> break
  od;
  part = 0
}

/* A deadline passes; of who is patient, that of the attempt which outbid his. */
inline miss(me) {
  misses++;
  assert(misses <= MOST_MISSES); /* progress: no round without end */
  find_highest(me);
  if
  :: patient[me] -> given[me] = highest
  :: else -> missed[me] = missed[me] | awaited[me]
  fi;
  moved[me] = true
}

#define ACT_ON(from) \
  :: d_step { RUNS(me) && me != from && !cut[AT(me, from)] && len(link[AT(me, from)]) > 0 -> \
       arrive(me, from); forgive(me, from); moved[me] = true } \
  :: d_step { RUNS(me) && me != from && (crashed & BIT(from)) && len(link[AT(me, from)]) > 0 -> \
       empty_link(me, from) } \
  :: d_step { RUNS(me) && me != from && LOST(me, from) && !(observed[me] & BIT(from)) -> \
       observed[me] = observed[me] | BIT(from); moved[me] = true } \
  :: d_step { RUNS(me) && me != from && !LOST(me, from) && !(observed[me] & BIT(from)) && \
       falses < most_false -> \
       falses++; observed[me] = observed[me] | BIT(from); moved[me] = true } \
  :: d_step { RUNS(me) && me != from && !LOST(me, from) && (observed[me] & BIT(from)) -> \
       observed[me] = observed[me] & ~BIT(from); moved[me] = true }

/* A deadline is judged by the same look at the table that says whom it ran for. */
#define WAITS(me) (awaited[me] || patient[me])
#define NOT_LATER(me) (!longer[me] || patient[me] || !(patient[0] || patient[1] || patient[2]))
#define CURRENT(me) (!moved[me] || variant == MARK_WHO_MOVED)

proctype Member(byte me) {
end:
  do
  :: ended[me] -> break
  ACT_ON(0)
  ACT_ON(1)
  ACT_ON(2)
  :: d_step { RUNS(me) && moved[me] -> turn(me) }
  :: d_step { RUNS(me) && (may_leave & BIT(me)) && !leaving[AT(me, me)] ->
       leaving[AT(me, me)] = 1; touched = SIGHT; push(me); moved[me] = true }
  :: d_step { RUNS(me) && WAITS(me) && CURRENT(me) && earlies < most_early -> earlies++; miss(me) }
  :: atomic { timeout && RUNS(me) && WAITS(me) && NOT_LATER(me) -> d_step { miss(me) } }
  od
}

inline crash(who) {
  fault = true;
  crashed = BIT(who);
  observed[who] = 0;
  missed[who] = 0;
  awaited[who] = 0;
  patient[who] = false;
  longer[who] = false;
  given[who] = 0;
  moved[who] = 0;
  peer = 0;
  do
  :: peer < MEMBERS ->
     if
     :: peer != who -> empty_link(who, peer)
     :: else
     fi;
     forget_row(who, peer);
     peer++
  :: else -> break
  od;
  peer = 0
}

inline break_link(reader, owner) {
  fault = true;
  cut[AT(reader, owner)] = true;
  empty_link(reader, owner)
}

#define HURT \
  (crashed || cut[AT(0, 1)] || cut[AT(1, 0)] || cut[AT(0, 2)] || cut[AT(2, 0)] || cut[AT(1, 2)] || \
   cut[AT(2, 1)])

/* Nothing moves and nobody waits. Whoever can know how the view ended does. */
inline judge() {
  settled = true;
  rank = 0;
  ranks = 0;
  do
  :: rank < MEMBERS ->
     if
     :: !(crashed & BIT(rank)) && (promised[AT(rank, rank)] || leaving[AT(rank, rank)]) ->
        ranks = ranks | BIT(rank)
     :: else
     fi;
     rank++
  :: else -> break
  od;
  assert(agreed || (!ranks && !HURT)); /* a change that was due was decided */
  rank = 0;
  do
  :: rank < MEMBERS && agreed ->
     assert(!(KEPT(agreed) & BIT(rank)) || (crashed & BIT(rank)) || ended[rank]);
     scan = 0;
     do
     :: scan < MEMBERS ->
        assert(ended[rank] || !ended[scan] || LOST(rank, scan) || (crashed & BIT(rank)));
        scan++
     :: else -> break
     od;
     rank++
  :: else -> break
  od;
  rank = 0
}

proctype World() {
end:
  do
  :: d_step { !fault -> fault = true }
  :: d_step { !fault && (faults & 1) -> crash(0) }
  :: d_step { !fault && (faults & 1) -> crash(1) }
  :: d_step { !fault && (faults & 1) -> crash(2) }
  :: d_step { !fault && (faults & 4) -> break_link(0, 1) }
  :: d_step { !fault && (faults & 4) -> break_link(1, 0) }
  :: d_step { !fault && (faults & 4) -> break_link(0, 2) }
  :: d_step { !fault && (faults & 4) -> break_link(2, 0) }
  :: d_step { !fault && (faults & 4) -> break_link(1, 2) }
  :: d_step { !fault && (faults & 4) -> break_link(2, 1) }
  :: d_step { !fault && (faults & 2) -> break_link(0, 1); break_link(1, 0) }
  :: d_step { !fault && (faults & 2) -> break_link(0, 2); break_link(2, 0) }
  :: d_step { !fault && (faults & 2) -> break_link(1, 2); break_link(2, 1) }
  :: atomic { timeout && !settled && !WAITS(0) && !WAITS(1) && !WAITS(2) ->
       d_step { judge() } }
  od
}

init {
  d_step {
    c_code {
      variant = setting("VARIANT");
      may_leave = setting("LEAVERS");
      most_false = setting("FALSE");
      most_early = setting("EARLY");
      faults = setting("FAULTS");
      mended = !setting("UNMENDED");
    }
  }
  atomic {
    run Member(0);
    run Member(1);
    run Member(2);
    run World();
  }
}
