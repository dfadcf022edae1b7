#pragma once

#include <rte_mempool.h>

#include <cstdint>
#include <string>

#include "lockstep/error.hpp"

namespace lockstep::transports::dpdk {

/// One end of a pair of rings between two members of this process, as an Ethernet port (DPDK's
/// net_ring). Rings and buffers outlive it: the other end may still use them.
struct RingPairEnd {
  std::uint16_t port = 0;
  std::string device;           ///< of that port, to be removed with it
  rte_mempool* pool = nullptr;  ///< of both ends
};

/// The first who asks for `name` gets one end, the second the other. Errors: configuration (a third
/// one), no_memory.
Expected<RingPairEnd> take_ring_pair_end(const std::string& name);
void give_back_ring_pair_end(const std::string& name, const RingPairEnd& end);

}  // namespace lockstep::transports::dpdk
