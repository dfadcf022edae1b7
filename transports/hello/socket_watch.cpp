#include "transports/hello/socket_watch.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace lockstep::transports {
namespace {

std::unexpected<Error> system_error(const char* what) {
  return fail(ErrorCode::system, fmt::format("cannot {}: {}; raise the limit of open files "
                                             "(ulimit -n) if it is reached",
                                             what, std::strerror(errno)));
}

}  // namespace

Expected<SocketWatch> SocketWatch::create() {
  SocketWatch watch;
  watch.epoll_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
  if (!watch.epoll_.open()) return system_error("make an epoll descriptor");
  return watch;
}

Expected<void> SocketWatch::add(LinkId link, Descriptor socket) {
  epoll_event event{.events = EPOLLIN, .data = {.u32 = link}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket.get(), &event) != 0) {
    return system_error("watch a peer's socket");
  }
  watched_.push_back({.link = link, .socket = std::move(socket)});
  return {};
}

void SocketWatch::drop(LinkId link) noexcept {
  std::erase_if(watched_, [&](const Watched& one) { return one.link == link; });
}

bool SocketWatch::take_ended(LinkId& link) noexcept {
  epoll_event event{};
  if (::epoll_wait(epoll_.get(), &event, 1, 0) != 1) return false;
  const auto found = std::ranges::find(watched_, event.data.u32, &Watched::link);
  if (found == watched_.end()) return false;
  std::byte ignored[256];
  const ssize_t got = ::recv(found->socket.get(), ignored, sizeof ignored, 0);
  if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) return false;
  link = found->link;
  watched_.erase(found);
  return true;
}

}  // namespace lockstep::transports
