#pragma once

/// The sources of ordering, the duty cycle and the simulator are compiled twice: as they are, and
/// once more with deliberate faults that can be switched on (mutant.hpp), to prove that the
/// checkers see them. The inline namespace keeps the two apart in one program.
#ifdef LOCKSTEP_MUTANTS
#define LOCKSTEP_VARIANT mutated
#else
#define LOCKSTEP_VARIANT production
#endif
