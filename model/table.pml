/* The rows of membership/table.hpp, the links they travel on, and what goes wrong with both.
 *
 * A row word is an array indexed by AT(reader, owner): what `reader` sees of `owner`; AT(me, me) is
 * the row itself. A link carries parts one by one, in the order of Table::Part, each a snapshot
 * taken when it was posted. Parts that no reader can tell apart travel as one: `received`, `wedged`
 * and `promised` (only who shows all three is looked at: Agreement::who_promised); sight, shown.
 *
 * A blocked link takes nothing; what is owed then goes later, in the order of parts, in its newest
 * version only (Table::push). A crash is a member that takes no more steps, and posts that a crash
 * cuts off are posts that nobody ever sees arrive: every safety run has both.
 */
#include "sets.pml"
#ifndef MEMBERS
#define MEMBERS 3
#endif
#define ALL ((1 << MEMBERS) - 1)
#define AT(reader, owner) ((reader) * MEMBERS + (owner))

hidden byte variant;       /* which sentence is broken; 0: none */
hidden byte most_attempts; /* attempts opened, by all */
hidden byte most_blocks;   /* times that a link is full */
hidden byte senders;       /* who has one frame under way at the start, a bit each */
hidden byte may_leave;     /* who may ask to leave, a bit each */

/* Parts, in the order in which they are posted. */
#define HOLDS 1    /* the hot line: frames received so far; a bit per sender */
#define SIGHT 2    /* unreachable, leaving */
#define VALUE 4    /* an acceptance in front of every later promise… */
#define ACCEPTED 8 /* …and its number behind it */
#define PROMISED 16
#define DECIDED 32

/* A value is a set of kept ranks and, per sender, whether its frame is within the trim. */
#define KEPT(content) ((content) & ALL)
#define TRIM(content) ((content) >> MEMBERS)

byte holds[MEMBERS * MEMBERS];
byte unreachable[MEMBERS * MEMBERS];
byte leaving[MEMBERS * MEMBERS];
byte content[MEMBERS * MEMBERS];        /* the value slot… */
byte content_number[MEMBERS * MEMBERS]; /* …and the number inside it */
byte accepted[MEMBERS * MEMBERS];
byte received[MEMBERS * MEMBERS]; /* frozen when it wedged */
byte promised[MEMBERS * MEMBERS]; /* not 0: wedged */
byte decided[MEMBERS * MEMBERS];

chan link[MEMBERS * MEMBERS] = [POSTS] of { byte, byte, byte }; /* AT(reader, owner) */
byte owed[MEMBERS * MEMBERS];   /* parts that AT(reader, owner) was not given yet */
bool blocked[MEMBERS * MEMBERS];
bool ended[MEMBERS];            /* knows how the view ended */

hidden byte part, first, second, peer, touched;

inline post_if(reader, owner, wanted, one, other) {
  if
  :: owed[AT(reader, owner)] & (wanted) -> link[AT(reader, owner)]!wanted,one,other
  :: else
  fi
}

/* Table::push(Peer&) */
inline post(reader, owner) {
  if
  :: variant == PROMISE_BEFORE_ACCEPTANCE && (owed[AT(reader, owner)] & PROMISED) ->
     link[AT(reader, owner)]!PROMISED,promised[AT(owner, owner)],received[AT(owner, owner)];
     owed[AT(reader, owner)] = owed[AT(reader, owner)] & ~PROMISED
  :: else
  fi;
  post_if(reader, owner, HOLDS, holds[AT(owner, owner)], 0);
  post_if(reader, owner, SIGHT, unreachable[AT(owner, owner)], leaving[AT(owner, owner)]);
  post_if(reader, owner, VALUE, content[AT(owner, owner)], content_number[AT(owner, owner)]);
  post_if(reader, owner, ACCEPTED, accepted[AT(owner, owner)], 0);
  post_if(reader, owner, PROMISED, promised[AT(owner, owner)], received[AT(owner, owner)]);
  post_if(reader, owner, DECIDED, decided[AT(owner, owner)], 0);
  owed[AT(reader, owner)] = 0
}

/* Table::push: `touched` to every peer that still reads this view. */
inline push(me) {
  peer = 0;
  do
  :: peer < MEMBERS ->
     if
     :: peer != me && !ended[peer] && GOES_OUT(me, peer) ->
        owed[AT(peer, me)] = owed[AT(peer, me)] | touched;
        if
        :: owed[AT(peer, me)] && !blocked[AT(peer, me)] -> post(peer, me)
        :: else
        fi
     :: else
     fi;
     peer++
  :: else -> break
  od;
  peer = 0;
  touched = 0
}

/* The next posted part becomes visible. */
inline arrive(me, from) {
  link[AT(me, from)]?part,first,second;
  if
  :: part == HOLDS -> holds[AT(me, from)] = first
  :: part == SIGHT -> unreachable[AT(me, from)] = first; leaving[AT(me, from)] = second
  :: part == VALUE -> content[AT(me, from)] = first; content_number[AT(me, from)] = second
  :: part == ACCEPTED -> accepted[AT(me, from)] = first
  :: part == PROMISED -> promised[AT(me, from)] = first; received[AT(me, from)] = second
  :: part == DECIDED -> decided[AT(me, from)] = first
  fi
}

/* Nobody reads this row any more: equal futures are to be equal states. */
inline forget_row(reader, owner) {
  holds[AT(reader, owner)] = 0;
  unreachable[AT(reader, owner)] = 0;
  leaving[AT(reader, owner)] = 0;
  content[AT(reader, owner)] = 0;
  content_number[AT(reader, owner)] = 0;
  accepted[AT(reader, owner)] = 0;
  received[AT(reader, owner)] = 0;
  promised[AT(reader, owner)] = 0;
  decided[AT(reader, owner)] = 0
}

inline forget(me) {
  peer = 0;
  touched = 0; /* here: posts that are still owed */
  do
  :: peer < MEMBERS ->
     if
     :: peer != me ->
        forget_row(me, peer);
        owed[AT(me, peer)] = 0;
        blocked[AT(me, peer)] = 0;
        touched = touched | owed[AT(peer, me)];
        do
        :: len(link[AT(me, peer)]) > 0 -> link[AT(me, peer)]?part,first,second
        :: else -> break
        od
     :: else
     fi;
     peer++
  :: else -> break
  od;
  if
  :: !touched -> forget_row(me, me)
  :: else
  fi;
  peer = 0;
  touched = 0
}
