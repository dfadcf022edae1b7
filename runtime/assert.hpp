#pragma once

#include <cstdio>
#include <cstdlib>

namespace lockstep::runtime {

/// Ends the process: an invariant of the library itself is broken, so nothing it says from now on
/// can be trusted. Never reached by bad input, a peer or the wire.
[[noreturn, gnu::cold, gnu::noinline]] inline void broken_invariant(const char* condition,
                                                                    const char* file, int line) {
  std::fprintf(stderr, "lockstep: broken invariant: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace lockstep::runtime

/// An invariant, checked in every build. One condition each.
#define LOCKSTEP_ASSERT(condition)    \
  ((condition) ? static_cast<void>(0) \
               : ::lockstep::runtime::broken_invariant(#condition, __FILE__, __LINE__))
