#include "tools/sim/sim_member.hpp"

#include "ordering/region_layout.hpp"

namespace lockstep::sim::inline LOCKSTEP_VARIANT {
namespace {

membership::ViewsOptions options(std::uint64_t wall_offset_ns) {
  return {.observation = {.heartbeat_interval_ns = SimMember::kBeatIntervalNs,
                          .silence_timeout_ns = 100 * SimMember::kBeatIntervalNs},
          .agreement = {},
          .wall_offset_ns = wall_offset_ns};
}

}  // namespace

SimMember::SimMember(transports::Transport& transport, const ordering::ViewLayout& layout,
                     std::uint64_t view, Witness& witness, std::uint64_t wall_offset_ns)
    : transport_(transport),
      layout_(layout),
      witness_(witness),
      views_(transport, layout, view, *this, *this, options(wall_offset_ns)) {}

std::span<std::byte> SimMember::ring_of(std::uint32_t sender) {
  if (sender == layout_.my_rank) return transport_.source().first(layout_.ring_bytes);
  return transport_.inbound(sender, layout_.copy)
      .subspan(ordering::kRingOffset, layout_.ring_bytes);
}

void SimMember::view_installed(std::uint64_t /*id*/, const ordering::ViewLayout& /*layout*/,
                               const membership::Donors& /*donors*/) noexcept {
  witness_.left(layout_.my_rank);
}

void SimMember::link_down(transports::LinkId link, transports::DownReason reason) noexcept {
  lost_peer_ = true;
  witness_.lost(layout_.my_rank, link, reason);  // in the first view, ranks are links
}

}  // namespace lockstep::sim::inline LOCKSTEP_VARIANT
