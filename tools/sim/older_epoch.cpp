#include "tools/sim/older_epoch.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include "ordering/region_layout.hpp"
#include "runtime/clock.hpp"
#include "tools/sim/layout.hpp"
#include "tools/sim/payload.hpp"
#include "tools/sim/sim_member.hpp"

namespace lockstep::sim::inline LOCKSTEP_VARIANT {
namespace {

class Blind final : public Witness {
 public:
  void applied(std::uint32_t, const Message&) override {}
  void lost(std::uint32_t, std::uint32_t, transports::DownReason) override {}
  void left(std::uint32_t) override {}
};

void copy_memory(const Scenario& scenario, transports::SimNetwork& from,
                 transports::SimNetwork& to) {
  for (std::uint32_t rank = 0; rank < scenario.network.members; ++rank) {
    std::ranges::copy(from.endpoint(rank).source(), to.endpoint(rank).source().begin());
    for (std::uint32_t peer = 0; peer < scenario.network.members; ++peer) {
      if (peer == rank) continue;
      std::ranges::copy(from.endpoint(rank).inbound(peer, 0).subspan(ordering::kRingOffset),
                        to.endpoint(rank).inbound(peer, 0).begin() + ordering::kRingOffset);
    }
  }
}

}  // namespace

void fill_with_older_epoch(const Scenario& scenario, transports::SimNetwork& network) {
  transports::Random random(~scenario.seed);
  runtime::ManualClock clock;
  transports::SimNetwork older(random.next(), network_options(scenario), clock);
  Blind blind;
  std::vector<std::unique_ptr<SimMember>> members;
  const std::vector<std::uint64_t> nonces = draw_nonces(scenario, random);
  for (std::uint32_t rank = 0; rank < scenario.network.members; ++rank) {
    members.push_back(std::make_unique<SimMember>(
        older.endpoint(rank), layout_of(scenario, rank, nonces), SimMember::kOlderView, blind, 0));
  }
  constexpr int kTurns = 100;
  for (int turn = 0; turn < kTurns; ++turn) {
    for (const std::uint32_t rank : scenario.senders) {
      const std::size_t bytes =
          draw_payload_bytes(scenario, random, members[rank]->max_payload_bytes());
      std::byte* payload = members[rank]->claim(bytes);
      if (payload == nullptr) continue;
      fill_payload({payload, bytes}, random.next());
      members[rank]->publish(0);
    }
    for (const auto& member : members) member->step(clock.now_ns());
    older.advance_to(clock.now_ns() + random.below(2 * scenario.network.delay_max_ns));
  }
  while (older.next_event_ns() != transports::kNever) older.advance_to(older.next_event_ns());
  copy_memory(scenario, older, network);
}

}  // namespace lockstep::sim::inline LOCKSTEP_VARIANT
