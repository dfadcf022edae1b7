#include "bench/socket_mesh.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace lockstep::bench {
namespace {

void prepare(int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK);
}

/// Both ends of one connection, through `listener`. False: see errno.
bool make_connection(int listener, int& one, int& other) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::getsockname(listener, generic, &length) != 0) return false;
  one = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (one < 0 || ::connect(one, generic, length) != 0) return false;
  other = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (other < 0) return false;
  prepare(one);
  prepare(other);
  return true;
}

/// One end over UDP, bound to some port of loopback.
int make_udp(sockaddr_in& address) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (socket < 0 || ::bind(socket, generic, length) != 0) return -1;
  return ::getsockname(socket, generic, &length) == 0 ? socket : -1;
}

/// What the kernel grants to hold for `socket`, in bytes of its own counting.
std::uint64_t make_room(int socket) {
  const int wanted = 2 << 20;
  if (::setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof wanted) != 0) {
    ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof wanted);
  }
  int granted = 0;
  socklen_t length = sizeof granted;
  ::getsockopt(socket, SOL_SOCKET, SO_RCVBUF, &granted, &length);
  return static_cast<std::uint64_t>(granted);
}

/// What a datagram may carry so that it is not cut in pieces, of which the kernel drops some under
/// load (ip(7), IP_MTU); and no more than one of the transport's does (UdpPort).
std::uint64_t whole_datagram(int socket) {
  constexpr int kMost = 8'000;
  constexpr int kHeads = 20 + 8;
  int mtu = kMost + kHeads;
  socklen_t length = sizeof mtu;
  ::getsockopt(socket, IPPROTO_IP, IP_MTU, &mtu, &length);
  return static_cast<std::uint64_t>(std::min(mtu - kHeads, kMost));
}

/// Both ends of one pair over UDP. False: see errno.
bool make_pair(int& one, int& other) {
  sockaddr_in here{};
  sockaddr_in there{};
  one = make_udp(here);
  other = make_udp(there);
  if (one < 0 || other < 0) return false;
  const auto connected = [](int socket, const sockaddr_in& to) {
    return ::connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  };
  return connected(one, there) && connected(other, here);
}

Expected<SocketMesh> refused() {
  return fail(ErrorCode::system,
              fmt::format("cannot connect the sockets of the floor over loopback: {}",
                          std::strerror(errno)));
}

}  // namespace

Expected<SocketMesh> SocketMesh::create(std::uint32_t members, bool udp) {
  SocketMesh mesh(members);
  if (udp) {
    for (std::uint32_t low = 0; low < members; ++low) {
      for (std::uint32_t high = low + 1; high < members; ++high) {
        int& one = mesh.sockets_[std::size_t{low} * members + high];
        int& other = mesh.sockets_[std::size_t{high} * members + low];
        if (!make_pair(one, other)) return refused();
        // A datagram takes up to twice its bytes and more.
        mesh.window_bytes_ = std::min(make_room(one), make_room(other)) / 4;
        mesh.datagram_bytes_ = whole_datagram(one);
      }
    }
    return mesh;
  }
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in loopback{};
  loopback.sin_family = AF_INET;
  loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bool good = listener >= 0 &&
              ::bind(listener, reinterpret_cast<sockaddr*>(&loopback), sizeof loopback) == 0 &&
              ::listen(listener, 1) == 0;
  for (std::uint32_t low = 0; good && low < members; ++low) {
    for (std::uint32_t high = low + 1; good && high < members; ++high) {
      good = make_connection(listener, mesh.sockets_[std::size_t{low} * members + high],
                             mesh.sockets_[std::size_t{high} * members + low]);
    }
  }
  const int error = errno;
  if (listener >= 0) ::close(listener);
  if (good) return mesh;
  errno = error;
  return refused();
}

SocketMesh::~SocketMesh() {
  for (const int socket : sockets_) {
    if (socket >= 0) ::close(socket);
  }
}

}  // namespace lockstep::bench
