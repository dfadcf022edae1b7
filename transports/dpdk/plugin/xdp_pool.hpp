#pragma once

#include <rte_mempool.h>

#include <string>

namespace lockstep::transports::dpdk {

/// Buffers for a device of DPDK's driver net_af_xdp with `send_slots` to its send queue; null with
/// rte_errno set: there is no memory. The driver hands the kernel the pool as one piece of memory
/// that has a buffer at every step, and the kernel drops what lies elsewhere. Pools that DPDK lays
/// out have gaps at the ends of pages; in this one a buffer is as long as the smallest page, on
/// which it begins (so it suits devices that are to reach it without a copy, too).
rte_mempool* make_xdp_pool(const std::string& name, unsigned send_slots, unsigned at_hand);

}  // namespace lockstep::transports::dpdk
