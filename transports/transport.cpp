#include "transports/transport.hpp"

namespace lockstep::transports {

std::string_view to_string(DownReason reason) noexcept {
  switch (reason) {
    case DownReason::peer_left:
      return "left the group";
    case DownReason::peer_died:
      return "process died";
    case DownReason::link_failed:
      return "link failed";
    case DownReason::protocol_error:
      return "wrote what no correct member writes";
    case DownReason::unreachable:
      return "does not answer";
    case DownReason::port_down:
      return "the network port of this member is down";
    case DownReason::device_lost:
      return "the network device of this member failed or was removed";
    case DownReason::address_changed:
      return "the network address of this member changed";
  }
  return "unknown";
}

}  // namespace lockstep::transports
