#pragma once

#include <cstddef>
#include <cstdint>

#include "lockstep/error.hpp"
#include "runtime/memory.hpp"
#include "transports/notices.hpp"

namespace lockstep::transports {

/// How a transport gets its memory.
struct BlockOptions {
  runtime::MemoryOptions memory;
  std::int32_t core = -1;  ///< whose NUMA node it shall be on; -1: any
};

/// A block for `purpose` ("the region of a peer"); adds what was tolerated. Errors: those of
/// SharedBlock::create.
Expected<runtime::SharedBlock> make_block(std::size_t bytes, const char* purpose,
                                          const BlockOptions& options, Notices& notices);

}  // namespace lockstep::transports
