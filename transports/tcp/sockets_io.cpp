#include "transports/tcp/sockets_io.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace lockstep::transports::tcp {
namespace {

/// Half of a typical second-level cache: what was received is applied while it is still there.
constexpr std::size_t kBufferBytes = 256 * 1024;
/// A write of which so much is missing is received straight into its place, at the price of one
/// more call (FIONREAD), since the socket must not end inside a word.
constexpr std::size_t kDirectBytes = 64 * 1024;
/// Of one link in one poll, so that the others and the rest of the loop get their turn.
constexpr std::size_t kMostPerPoll = 1024 * 1024;

}  // namespace

Expected<std::unique_ptr<SocketsIo>> SocketsIo::create() {
  Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.open()) {
    return fail(ErrorCode::system, fmt::format("cannot make an epoll descriptor: {}; raise the "
                                               "limit of open files (ulimit -n) if it is reached",
                                               std::strerror(errno)));
  }
  return std::unique_ptr<SocketsIo>(new SocketsIo(std::move(epoll)));
}

SocketsIo::SocketsIo(Descriptor epoll)
    : epoll_(std::move(epoll)), buffer_(std::make_unique<std::byte[]>(kBufferBytes)) {}

Expected<void> SocketsIo::add(Link& link) {
  epoll_event event{.events = EPOLLIN, .data = {.u32 = link.number}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, link.socket.get(), &event) != 0) {
    return fail(ErrorCode::system, fmt::format("cannot watch the socket of rank {}: {}",
                                               link.number, std::strerror(errno)));
  }
  watched_.push_back({.link = &link, .for_room = false});
  return {};
}

void SocketsIo::remove(Link& link) noexcept {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, link.socket.get(), nullptr);
  std::erase_if(watched_, [&](const Watched& one) { return one.link == &link; });
}

void SocketsIo::send(Link& link) noexcept {
  stream::OutboundStream::Pieces pieces;
  while (!link.down && link.has_output()) {
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = link.gather(pieces);
    const ssize_t sent = ::sendmsg(link.socket.get(), &message, MSG_NOSIGNAL);
    link.sent(sent > 0 ? static_cast<std::size_t>(sent) : 0);
    if (sent >= 0 || errno == EINTR) continue;
    if (errno != EAGAIN) link.end(errno);
    return;
  }
}

void SocketsIo::poll() noexcept {
  for (const Watched& watched : watched_) {
    send(*watched.link);
    receive(*watched.link);
  }
}

void SocketsIo::receive(Link& link) noexcept {
  std::size_t received = 0;
  while (!link.down && received < kMostPerPoll && receive_some(link, received)) {
  }
}

bool SocketsIo::receive_some(Link& link, std::size_t& received) noexcept {
  const auto place = link.direct(kDirectBytes);
  if (!place.empty() && receive_in_place(link, place, received)) return true;
  const ssize_t got = ::recv(link.socket.get(), buffer_.get(), kBufferBytes, 0);
  if (got <= 0) {
    if (got == 0) link.end(0);
    if (got < 0 && errno != EAGAIN && errno != EINTR) link.end(errno);
    return false;
  }
  const auto bytes = static_cast<std::size_t>(got);
  received += bytes;
  link.feed({buffer_.get(), bytes});
  return bytes == kBufferBytes;
}

bool SocketsIo::receive_in_place(Link& link, std::span<std::byte> place,
                                 std::size_t& received) noexcept {
  int there = 0;
  if (::ioctl(link.socket.get(), FIONREAD, &there) != 0 || there <= 0) return false;
  const std::size_t wanted = std::min(place.size(), static_cast<std::size_t>(there)) & ~7UL;
  if (wanted == 0) return false;
  // All of it is there, so the kernel gives all of it: whole words.
  const ssize_t got = ::recv(link.socket.get(), place.data(), wanted, 0);
  if (got != static_cast<ssize_t>(wanted)) {
    link.fail(DownReason::link_failed);
    return false;
  }
  link.in.filled(wanted);
  received += wanted;
  return true;
}

void SocketsIo::announce_sleep() noexcept {
  for (Watched& watched : watched_) watch(watched, watched.link->has_output());
}

void SocketsIo::watch(Watched& watched, bool for_room) noexcept {
  if (watched.for_room == for_room || watched.link->down) return;
  const std::uint32_t events = for_room ? EPOLLIN | EPOLLOUT : EPOLLIN;
  epoll_event event{.events = events, .data = {.u32 = watched.link->number}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, watched.link->socket.get(), &event);
  watched.for_room = for_room;
}

}  // namespace lockstep::transports::tcp
