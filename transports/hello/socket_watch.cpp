#include "transports/hello/socket_watch.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/clock.hpp"

namespace lockstep::transports {
namespace {

constexpr std::byte kReady{'r'};

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
  watched_.push_back({.link = link, .socket = std::move(socket), .ready = false});
  return {};
}

Expected<void> SocketWatch::await_all_ready(std::uint64_t timeout_ns) {
  for (const Watched& one : watched_) {
    // One byte into an empty socket: it fits, or the connection is gone, which the reading tells.
    ::send(one.socket.get(), &kReady, sizeof kReady, MSG_NOSIGNAL);
  }
  const runtime::TscClock clock;
  const std::uint64_t deadline_ns = clock.now_ns() + timeout_ns;
  for (Watched& one : watched_) {
    while (!one.ready) {
      std::byte said{};
      const ssize_t got = ::recv(one.socket.get(), &said, sizeof said, 0);
      one.ready = got == 1 && said == kReady;
      if (one.ready) break;
      if (got >= 0 || (errno != EAGAIN && errno != EINTR)) {
        return fail(ErrorCode::member_lost,
                    fmt::format("rank {} ended while members connected", one.link));
      }
      if (clock.now_ns() >= deadline_ns) {
        return fail(ErrorCode::timed_out,
                    fmt::format("rank {} said hello and did not get ready within {:.1f} s",
                                one.link, static_cast<double>(timeout_ns) / 1e9));
      }
      pollfd waited{.fd = one.socket.get(), .events = POLLIN, .revents = 0};
      ::poll(&waited, 1, 10);
    }
  }
  return {};
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
