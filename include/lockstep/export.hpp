#pragma once

/// Marks what leaves the shared library. Everything else is hidden.
#if defined(__GNUC__)
#define LOCKSTEP_EXPORT __attribute__((visibility("default")))
#else
#define LOCKSTEP_EXPORT
#endif
