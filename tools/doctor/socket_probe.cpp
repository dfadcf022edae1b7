#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>

#include "tools/doctor/system_probes.hpp"
#include "tools/node/descriptor.hpp"

namespace lockstep::doctor {
namespace {

using node::Descriptor;

Trial failed(const char* step, int error) {
  Trial trial{.works = false,
              .found = fmt::format("{} on 127.0.0.1: {}", step, std::strerror(error)),
              .mend = "ip link set lo up   # else look for a rule: nft list ruleset"};
  if (error == EMFILE || error == ENFILE) trial.mend = "ulimit -n 4096";
  if (error == EPERM || error == EACCES) trial.mend = "nft list ruleset   # what forbids it";
  return trial;
}

/// A socket whose calls end within two seconds: a rule may drop what goes to the loopback too.
Descriptor open_socket(int type) {
  Descriptor made(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  const timeval patience{.tv_sec = 2, .tv_usec = 0};
  ::setsockopt(made.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(made.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  return made;
}

/// Binds to a port of the kernel's choice and returns it in `address`.
bool bind_anywhere(const Descriptor& socket, sockaddr_in& address) {
  address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
         ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0;
}

/// One byte from `from` arrives at `to`.
bool passes(const Descriptor& from, const Descriptor& to) {
  char byte = 'x';
  return ::send(from.get(), &byte, 1, MSG_NOSIGNAL) == 1 && ::recv(to.get(), &byte, 1, 0) == 1;
}

}  // namespace

Trial try_tcp() {
  const Descriptor listener = open_socket(SOCK_STREAM);
  if (listener.get() < 0) return failed("socket", errno);
  sockaddr_in address{};
  if (!bind_anywhere(listener, address)) return failed("bind", errno);
  if (::listen(listener.get(), 1) != 0) return failed("listen", errno);
  const Descriptor dialled = open_socket(SOCK_STREAM);
  if (dialled.get() < 0) return failed("socket", errno);
  if (::connect(dialled.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return failed("connect", errno);
  }
  const Descriptor accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (accepted.get() < 0) return failed("accept", errno);
  if (!passes(dialled, accepted)) return failed("send", errno);
  return {.works = true, .found = "a connection over 127.0.0.1 carried a byte", .mend = ""};
}

Trial try_udp() {
  const Descriptor socket = open_socket(SOCK_DGRAM);
  if (socket.get() < 0) return failed("socket", errno);
  sockaddr_in address{};
  if (!bind_anywhere(socket, address)) return failed("bind", errno);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return failed("connect", errno);
  }
  if (!passes(socket, socket)) return failed("send", errno);
  // Members meet over TCP, whatever carries their packets.
  if (Trial tcp = try_tcp(); !tcp.works) return tcp;
  return {.works = true, .found = "a packet over 127.0.0.1 arrived", .mend = ""};
}

}  // namespace lockstep::doctor
