#include "transports/verbs/verbs_meeting.hpp"

#include <utility>
#include <vector>

#include "runtime/endpoint.hpp"
#include "transports/hello/life_lines.hpp"
#include "transports/hello/socket_watch.hpp"
#include "transports/hello/tcp_place.hpp"

namespace lockstep::transports {

Expected<std::unique_ptr<VerbsTransport>> connect_by_verbs(const VerbsMeetingOptions& options,
                                                           const Examine& examine) {
  VerbsOptions shape = options.transport;
  const std::uint32_t my_rank = shape.my_rank;
  const auto mine = runtime::parse_endpoint(options.addresses[my_rank]);
  if (!mine) return std::unexpected(mine.error());
  if (shape.device.device.empty()) shape.device.address = runtime::host_of(*mine);
  shape.members = static_cast<std::uint32_t>(options.members.size());
  auto transport = VerbsTransport::open(shape);
  if (!transport) return transport;

  auto place = TcpPlace::make({.group = options.group,
                               .addresses = options.addresses,
                               .my_rank = my_rank,
                               .key = options.key});
  if (!place) return std::unexpected(place.error());
  const MeetingOptions meeting{.group = options.group,
                               .members = options.members,
                               .my_rank = my_rank,
                               .medium = Medium::verbs,
                               .region_bytes = shape.region_bytes,
                               .timeout_ns = options.join_timeout_ns,
                               .introduction = options.introduction,
                               .life_lines = true};
  const auto offer_for = [&](std::uint32_t rank) {
    return Offer{.parameters = (*transport)->parameters_for(rank), .descriptors = {}};
  };
  auto met = meet(meeting, *place, offer_for, examine);
  if (!met) return std::unexpected(met.error());

  std::vector<LifeLine> lines;
  auto sockets = SocketWatch::create();
  if (!sockets) return std::unexpected(sockets.error());
  for (MetPeer& peer : met->peers) {
    auto connected = (*transport)->connect(peer.rank, peer.parameters);
    if (!connected) return std::unexpected(connected.error());
    auto added = sockets->add(peer.rank, std::move(peer.socket));
    if (!added) return std::unexpected(added.error());
    lines.push_back({.link = peer.rank, .socket = std::move(peer.life_line)});
  }
  auto life_lines = LifeLines::hold(std::move(lines));
  if (!life_lines) return std::unexpected(life_lines.error());
  // A write to a queue pair that its owner has not connected yet would be repeated, and in the end
  // given up.
  if (auto ready = sockets->await_all_ready(options.join_timeout_ns); !ready) {
    return std::unexpected(ready.error());
  }
  (*transport)->keep(std::move(met->listener), std::move(*sockets), std::move(*life_lines));
  for (const std::string& notice : met->notices) (*transport)->note(notice);
  return transport;
}

}  // namespace lockstep::transports
