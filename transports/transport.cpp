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
  }
  return "unknown";
}

}  // namespace lockstep::transports
