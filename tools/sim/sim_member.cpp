#include "tools/sim/sim_member.hpp"

#include "ordering/region_layout.hpp"

namespace lockstep::sim::inline LOCKSTEP_VARIANT {
namespace {

membership::DutyCycleOptions options(std::uint64_t wall_offset_ns) {
  return {.observation = {.heartbeat_interval_ns = SimMember::kBeatIntervalNs,
                          .silence_timeout_ns = 100 * SimMember::kBeatIntervalNs},
          .wall_offset_ns = wall_offset_ns};
}

}  // namespace

SimMember::SimMember(transports::Transport& transport, const ordering::ViewLayout& layout,
                     Witness& witness, std::uint64_t wall_offset_ns)
    : transport_(transport),
      layout_(layout),
      witness_(witness),
      duty_(transport, layout, *this, *this, options(wall_offset_ns)) {}

std::span<std::byte> SimMember::ring_of(std::uint32_t sender) {
  if (sender == layout_.my_rank) return transport_.source().first(layout_.ring_bytes);
  return transport_.inbound(sender, layout_.copy)
      .subspan(ordering::kRingOffset, layout_.ring_bytes);
}

void SimMember::member_lost(std::uint32_t rank, transports::DownReason reason) noexcept {
  lost_peer_ = true;
  witness_.lost(layout_.my_rank, rank, reason);
}

void SimMember::member_silent(std::uint32_t rank) noexcept {
  member_lost(rank, transports::DownReason::link_failed);
}

}  // namespace lockstep::sim::inline LOCKSTEP_VARIANT
