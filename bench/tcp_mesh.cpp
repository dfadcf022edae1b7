#include "bench/tcp_mesh.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

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

}  // namespace

Expected<TcpMesh> TcpMesh::create(std::uint32_t members) {
  TcpMesh mesh(members);
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
  return fail(ErrorCode::system,
              fmt::format("cannot connect the sockets of the floor over loopback: {}",
                          std::strerror(error)));
}

TcpMesh::~TcpMesh() {
  for (const int socket : sockets_) {
    if (socket >= 0) ::close(socket);
  }
}

}  // namespace lockstep::bench
