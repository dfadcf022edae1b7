#pragma once

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "transports/hello/descriptor.hpp"

namespace lockstep::test {

/// Gives the calling process, and those that it makes, a network of their own, with nothing but its
/// loopback device, which takes packets of up to `mtu` bytes. It is gone with the last of them.
/// False: only root may.
inline bool enter_own_network(int mtu = 65'536) {
  if (::unshare(CLONE_NEWNET) != 0) return false;
  const transports::Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) return false;
  const short flags = request.ifr_flags;
  request.ifr_mtu = mtu;
  if (::ioctl(socket.get(), SIOCSIFMTU, &request) != 0) return false;
  request.ifr_flags = static_cast<short>(flags | IFF_UP);
  return ::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0;
}

/// Whether a process may do that, and open packet sockets there: tried by one that ends.
inline bool may_have_own_network() {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool there = enter_own_network();
    ::_exit(there && ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0 ? 0 : 1);
  }
  int status = 1;
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

}  // namespace lockstep::test
