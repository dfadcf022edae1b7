#include "bench/floor.hpp"

#include "bench/floor_ping.hpp"
#include "bench/frame_ping.hpp"
#include "bench/frame_stream.hpp"
#include "bench/session.hpp"
#include "bench/socket_ping.hpp"
#include "bench/socket_streams.hpp"
#include "bench/stream_pair.hpp"
#include "bench/verbs_floors.hpp"

namespace lockstep::bench {
namespace {

bool by_verbs(const Session& session) noexcept { return session.plan.options.transport == "verbs"; }
bool by_dpdk(const Session& session) noexcept { return session.plan.options.transport == "dpdk"; }

}  // namespace

std::unique_ptr<PingFloor> make_ping_floor(Session& session, std::uint32_t rank) {
  const std::uint64_t payload_bytes = session.plan.options.payload_bytes;
  if (by_verbs(session)) {
    return rank > 1 ? nullptr : std::make_unique<VerbsPing>(session, rank);
  }
  if (by_dpdk(session)) {
    if (rank > 1) return nullptr;
    return std::make_unique<FramePing>(session, rank);
  }
  if (session.mesh.has_value()) {
    if (rank > 1) return nullptr;
    return std::make_unique<SocketPing>(session.mesh->socket(rank, 1 - rank), payload_bytes,
                                        session.clock, session.floor_sleeps());
  }
  return std::make_unique<FloorPing>(session.ping_memory(), payload_bytes, session.clock,
                                     session.floor_gives_way());
}

std::unique_ptr<StreamFloor> make_stream_floor(Session& session, std::uint32_t rank) {
  if (by_verbs(session)) return std::make_unique<VerbsStream>(session, rank);
  if (by_dpdk(session)) return std::make_unique<FrameStream>(session, rank);
  if (session.mesh.has_value()) return std::make_unique<SocketStreams>(session, rank);
  return std::make_unique<StreamPair>(session, rank);
}

std::uint32_t stream_parties(const Session& session) noexcept {
  return session.mesh.has_value() ? session.plan.options.members : 2;
}

}  // namespace lockstep::bench
