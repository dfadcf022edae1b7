#include "transports/tcp/tcp_link.hpp"

#include <cerrno>

namespace lockstep::transports::tcp {

void Link::end(int error) noexcept {
  // The kernel ends the connections of a process that dies: with its end, or with a reset when
  // bytes for it were still unread. Everything else is the network.
  const bool ended = error == 0 || error == ECONNRESET || error == EPIPE;
  const auto network = error == ETIMEDOUT ? DownReason::unreachable : DownReason::link_failed;
  fail(ended ? DownReason::peer_died : network);
}

}  // namespace lockstep::transports::tcp
