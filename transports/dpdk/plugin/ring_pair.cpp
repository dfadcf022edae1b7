#include "transports/dpdk/plugin/ring_pair.hpp"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include <array>
#include <map>
#include <mutex>

namespace lockstep::transports::dpdk {
namespace {

constexpr unsigned kRingSlots = 1'024;
/// Both rings full, and what each end collects, has received and keeps at hand.
constexpr unsigned kBuffers = 2 * kRingSlots + 2 * (2 * 32 + 64) - 1;

struct Pair {
  std::array<rte_ring*, 2> rings{};
  rte_mempool* pool = nullptr;
  std::array<bool, 2> taken{};
};

struct Pairs {
  std::mutex mutex;
  std::map<std::string, Pair> by_name;
  std::uint32_t made = 0;
};
Pairs& pairs() {
  static auto* const all = new Pairs;
  return *all;
}

Expected<void> make(Pair& pair, std::uint32_t number) {
  pair.pool = rte_pktmbuf_pool_create(fmt::format("pair{}", number).c_str(), kBuffers, 32, 0,
                                      RTE_MBUF_DEFAULT_BUF_SIZE, static_cast<int>(rte_socket_id()));
  for (std::size_t i = 0; i < 2; ++i) {
    pair.rings[i] = rte_ring_create(fmt::format("pair{}.{}", number, i).c_str(), kRingSlots,
                                    SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
  }
  if (pair.pool != nullptr && pair.rings[0] != nullptr && pair.rings[1] != nullptr) return {};
  return fail(ErrorCode::no_memory,
              fmt::format("DPDK has no memory for a pair of rings: {}", rte_strerror(rte_errno)));
}

void drain(rte_ring* ring) {
  void* one = nullptr;
  while (rte_ring_dequeue(ring, &one) == 0) rte_pktmbuf_free(static_cast<rte_mbuf*>(one));
}

}  // namespace

Expected<RingPairEnd> take_ring_pair_end(const std::string& name) {
  Pairs& all = pairs();
  const std::lock_guard lock(all.mutex);
  const auto [place, is_new] = all.by_name.try_emplace(name);
  Pair& pair = place->second;
  if (is_new) {
    if (auto made = make(pair, all.made++); !made) {
      all.by_name.erase(place);
      return std::unexpected(made.error());
    }
  }
  if (!pair.taken[0] && !pair.taken[1]) {
    for (rte_ring* const ring : pair.rings) drain(ring);
  }
  const std::size_t end = pair.taken[0] ? 1 : 0;
  if (pair.taken[end]) {
    return fail(
        ErrorCode::configuration,
        fmt::format("'pair:{}' has two members already; give each pair a name of its own", name));
  }
  const std::string port_name = fmt::format("{}.{}", name, end);
  const int port =
      rte_eth_from_rings(port_name.c_str(), &pair.rings[end], 1, &pair.rings[1 - end], 1, 0);
  if (port < 0) {
    return fail(ErrorCode::system, fmt::format("DPDK makes no port of the rings 'pair:{}': {}",
                                               name, rte_strerror(rte_errno)));
  }
  pair.taken[end] = true;
  return RingPairEnd{.port = static_cast<std::uint16_t>(port),
                     .device = "net_ring_" + port_name,
                     .pool = pair.pool};
}

void give_back_ring_pair_end(const std::string& name, const RingPairEnd& end) {
  Pairs& all = pairs();
  const std::lock_guard lock(all.mutex);
  all.by_name[name].taken[end.device.back() == '1' ? 1 : 0] = false;
}

}  // namespace lockstep::transports::dpdk
