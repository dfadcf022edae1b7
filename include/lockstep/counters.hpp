#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lockstep/error.hpp"
#include "lockstep/export.hpp"

namespace lockstep {

/// One live number of a running reactor, as it is at the moment of reading.
struct CounterReading {
  std::string name;  ///< "group.orders.frames_delivered"
  std::uint64_t value = 0;
};

/// Reads the counters file (ReactorConfig::counters_file) of a running reactor, of this process or
/// another, without disturbing it. Names and units: docs/counters.md. Allocates; any thread.
/// Errors: system (no such file), mismatch (not a counters file, or another layout).
LOCKSTEP_EXPORT Expected<std::vector<CounterReading>> read_counters(const std::string& path);

}  // namespace lockstep
