#pragma once

#include <pthread.h>

namespace lockstep::runtime {

/// Starts a thread for what must not keep a reactor waiting. It owes nothing to the thread that
/// makes it, which may be pinned, or run at a real-time priority: it runs on any CPU at ordinary
/// priority, and takes no signal. `name`: at most 15 characters. Returns an errno; the caller
/// joins.
int start_side_thread(pthread_t& thread, const char* name, void* (*body)(void*),
                      void* argument) noexcept;

}  // namespace lockstep::runtime
