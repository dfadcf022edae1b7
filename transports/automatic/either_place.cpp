#include "transports/automatic/either_place.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <cerrno>
#include <cstring>

namespace lockstep::transports {

Expected<Descriptor> EitherPlace::listen() {
  auto near = near_.listen();
  if (!near) return near;
  auto far = far_.listen();
  if (!far) return far;
  Descriptor both(::epoll_create1(EPOLL_CLOEXEC));
  const auto add = [&](const Descriptor& listener) {
    epoll_event event{.events = EPOLLIN, .data = {}};
    return ::epoll_ctl(both.get(), EPOLL_CTL_ADD, listener.get(), &event) == 0;
  };
  if (!both.open() || !add(*near) || !add(*far)) {
    return fail(ErrorCode::system,
                fmt::format("cannot wait at a unix socket and a TCP port at once: {}; raise the "
                            "limit of open files (ulimit -n) if it is reached",
                            std::strerror(errno)));
  }
  near_listener_ = std::move(*near);
  far_listener_ = std::move(*far);
  return both;
}

Expected<std::unique_ptr<Conversation>> EitherPlace::dial(std::uint32_t rank) {
  // Whatever keeps the two from meeting near, a port may be open.
  if (auto near = near_.dial(rank); near && *near != nullptr) return near;
  return far_.dial(rank);
}

std::unique_ptr<Conversation> EitherPlace::accept(const Descriptor& /*listener*/) {
  if (auto near = near_.accept(near_listener_)) return near;
  return far_.accept(far_listener_);
}

}  // namespace lockstep::transports
