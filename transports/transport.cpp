#include "transports/transport.hpp"

#include <fmt/format.h>

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

Expected<void> Transport::adopt(std::unique_ptr<Newcomer> newcomer) {
  return fail(ErrorCode::not_supported,
              fmt::format("link {} cannot be made on this medium", newcomer->link()));
}

void Transport::hold_life_line(LinkId /*link*/, Descriptor /*line*/) noexcept {}

}  // namespace lockstep::transports
