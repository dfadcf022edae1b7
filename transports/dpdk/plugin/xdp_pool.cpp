#include "transports/dpdk/plugin/xdp_pool.hpp"

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_memzone.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "transports/datagrams/port.hpp"

namespace lockstep::transports::dpdk {
namespace {

constexpr unsigned kBufferBytes = 4'096;
/// What the driver gives the kernel to fill, and never less (xsk.h's default length of rings).
constexpr unsigned kFill = 2'048;
/// What was sent and is not given back yet: at most a ring of the same length.
constexpr unsigned kCompletion = 2'048;
/// Colours would put buffers at uneven steps.
constexpr unsigned kFlags = RTE_MEMPOOL_F_NO_SPREAD;

void give_back(rte_mempool_memhdr* /*chunk*/, void* zone) {
  rte_memzone_free(static_cast<const rte_memzone*>(zone));
}

/// False: nothing was taken, rte_errno says why.
bool populate(rte_mempool* pool, const std::string& name) {
  const std::size_t bytes = static_cast<std::size_t>(pool->size) * kBufferBytes;
  const auto page = static_cast<unsigned>(::sysconf(_SC_PAGESIZE));
  const rte_memzone* const zone =
      rte_memzone_reserve_aligned(name.c_str(), bytes, SOCKET_ID_ANY, 0, page);
  if (zone == nullptr) return false;
  const int populated =
      rte_mempool_populate_iova(pool, static_cast<char*>(zone->addr), RTE_BAD_IOVA, zone->len,
                                &give_back, const_cast<rte_memzone*>(zone));
  if (populated == static_cast<int>(pool->size)) return true;
  if (populated < 0) rte_errno = -populated;
  if (populated <= 0) rte_memzone_free(zone);
  return false;
}

}  // namespace

rte_mempool* make_xdp_pool(const std::string& name, unsigned send_slots, unsigned at_hand) {
  const unsigned buffers =
      kFill + kCompletion + send_slots + 2U * static_cast<unsigned>(Port::kBatch) + 2 * at_hand;
  rte_mempool_objsz around{};
  rte_mempool_calc_obj_size(RTE_MEMPOOL_ALIGN, kFlags, &around);
  const unsigned element = kBufferBytes - around.header_size - around.trailer_size;
  rte_pktmbuf_pool_private of_pool{};
  of_pool.mbuf_data_room_size = static_cast<std::uint16_t>(element - sizeof(rte_mbuf));
  rte_mempool* const pool = rte_mempool_create_empty(name.c_str(), buffers, element, at_hand,
                                                     sizeof of_pool, SOCKET_ID_ANY, kFlags);
  if (pool == nullptr) return nullptr;
  rte_pktmbuf_pool_init(pool, &of_pool);
  if (rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), nullptr) != 0 ||
      !populate(pool, name)) {
    rte_mempool_free(pool);
    return nullptr;
  }
  rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
  return pool;
}

}  // namespace lockstep::transports::dpdk
