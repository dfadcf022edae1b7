#include "transports/block.hpp"

#include "runtime/topology.hpp"

namespace lockstep::transports {

Expected<runtime::SharedBlock> make_block(std::size_t bytes, const char* purpose,
                                          const BlockOptions& options, Notices& notices) {
  runtime::MemoryOptions memory = options.memory;
  memory.purpose = purpose;
  auto block = runtime::SharedBlock::create(bytes, memory);
  if (!block) return block;
  notices.add(block->notice());
  notices.add(runtime::bind_memory(block->bytes(), options.core));
  return block;
}

}  // namespace lockstep::transports
