#pragma once

#include <cstdint>

#include "transports/hello/hello_packet.hpp"

namespace lockstep::transports {

/// Why a link does not use a medium. The numbers, and those of Medium, are those of the counters
/// (docs/counters.md).
enum class Obstacle : std::uint8_t {
  none = 0,          ///< it uses this one, or a faster one
  configured = 1,    ///< group.transport names another
  other_host = 2,    ///< the peer runs on another host
  out_of_reach = 3,  ///< the peer is on this host, in another network name space or of another user
  no_device = 4,     ///< this member has no RDMA device for its address
  peer_no_device = 5,  ///< the peer has none, or its device refused
  unsealed = 6,        ///< links are to be encrypted, which this medium cannot be
  refused = 7,         ///< this member's RDMA device refused a link; a notice says why
};
inline constexpr Obstacle kLastObstacle = Obstacle::refused;

/// By what two members are connected, and why not by something faster.
struct LinkChoice {
  Medium medium = Medium::shm;
  bool sealed = false;  ///< encrypted
  Obstacle no_shm = Obstacle::none;
  Obstacle no_verbs = Obstacle::none;
};

/// The choice of a configuration that names `medium`.
constexpr LinkChoice configured_choice(Medium medium, bool sealed) {
  const bool shm = medium == Medium::shm;
  const bool verbs = medium == Medium::verbs;
  return {.medium = medium,
          .sealed = sealed && !shm && !verbs,
          .no_shm = shm ? Obstacle::none : Obstacle::configured,
          .no_verbs = shm || verbs ? Obstacle::none : Obstacle::configured};
}

}  // namespace lockstep::transports
