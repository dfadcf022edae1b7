/* Broken variants, named as in membership/mutant.hpp where the simulation has them too.
 * ci/check-model reads names and numbers from here. */
#define PROMISE_BEFORE_ACCEPTANCE 1
#define NO_ADOPT 2
#define ADOPT_LOWEST 3
#define PROPOSE_TWICE 4
#define PROMISE_NOT_AWAITED 5
#define ACCEPT_BELOW_PROMISE 6
#define NO_QUORUM 7
#define HALF_WITHOUT_LOWEST 8
#define LEAVER_DOES_NOT_VOTE 9
#define QUORUM_OF_STAYERS 10 /* leavers are not counted among v's members */
#define NO_DECIDED 11
#define NO_WEDGE 12
#define TRIM_BY_MOST 13
#define TRIM_BY_OWN 14
#define BEYOND_TRIM 15
#define SHORT_OF_TRIM 16
#define EVICTED_DELIVERS 17
#define STABLE_AMONG_KEPT 18 /* delivered when some quorum holds it, not all of v */
#define KEEP_EVERYBODY 19
#define KEEP_BY_OWN_REPORTS 20
#define STICKY_UNREACHABLE 21
#define OUTBID_AT_ONCE 23
#define MARK_WHO_MOVED 22 /* marked, though the awaited word arrived in the meantime */
/* Of joins. */
#define ANY_JOINERS 24
#define UNKNOWN_JOINER 25
#define WELCOME_BEFORE_DECISION 26 /* written by who proposes, not by who installs */
#define ONE_WELCOME 27             /* written by the arbiter only */
#define JOINER_COUNTS_IN_V 28      /* and not only in v+1 */
#define NONCE_NOT_COMPARED 29      /* by members that install a view with a joiner */
#define NONCES_NEVER_COMPARED 30   /* by the joiner neither, when it begins */
#define STATELESS_BY_OWN_TABLE 31  /* and not by the value */
#define LINK_STAYS_IN_USE 32       /* of a joiner that was left out */
#define WAITS_FOR_ALL 33           /* a joiner begins when all of the view are there, and not before */
