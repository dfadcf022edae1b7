/* Sets of ranks, a bit each; and the settings of one run, which come from the environment: one build
 * serves every bound and broken variant. */
#define BIT(rank) (1 << (rank))
#define LOWEST(set) ((set) & -(set))
#define COUNT(set) \
  (((set) & 1) + ((set) >> 1 & 1) + ((set) >> 2 & 1) + ((set) >> 3 & 1) + ((set) >> 4 & 1))
/* is_quorum */
#define IS_QUORUM(set, all) \
  (2 * COUNT((set) & (all)) > COUNT(all) || \
   (2 * COUNT((set) & (all)) == COUNT(all) && ((set) & LOWEST(all))))

c_decl {
  static int setting(const char *name) {
    const char *text = getenv(name);
    return text ? atoi(text) : 0;
  }
}
