#pragma once

#include <cstdint>

#include "tools/sim/history.hpp"

namespace lockstep::sim {

/// What one run came to.
struct Report {
  Violation violation;
  std::uint64_t messages = 0;
  std::uint64_t deliveries = 0;
  std::uint64_t virtual_ns = 0;
  std::uint64_t operations = 0;  ///< writes from the first mishap until everybody was in a new view
  std::uint64_t views = 1;       ///< the id of the newest one
  std::uint64_t joins = 0;       ///< joiners that got the state
  std::uint64_t mended = 0;      ///< ends of links that were made anew
  std::uint64_t evicted = 0;     ///< who learnt that others went on without him, a bit each
  std::uint64_t attempts = 0;    ///< the most that one change of view took
};

}  // namespace lockstep::sim
