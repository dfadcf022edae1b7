#pragma once

/// Everything a program needs to embed Lockstep. Start with group.hpp.
#include "lockstep/config.hpp"         // IWYU pragma: export
#include "lockstep/counters.hpp"       // IWYU pragma: export
#include "lockstep/error.hpp"          // IWYU pragma: export
#include "lockstep/group.hpp"          // IWYU pragma: export
#include "lockstep/message.hpp"        // IWYU pragma: export
#include "lockstep/reactor.hpp"        // IWYU pragma: export
#include "lockstep/snapshot.hpp"       // IWYU pragma: export
#include "lockstep/state_machine.hpp"  // IWYU pragma: export
#include "lockstep/view.hpp"           // IWYU pragma: export
