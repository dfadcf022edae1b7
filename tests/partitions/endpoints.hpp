#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "tests/partitions/partitions.hpp"
#include "transports/hello/descriptor.hpp"

namespace lockstep::launch {

/// How GoogleTest prints it, also in the names of tests.
inline void PrintTo(IpVersion version, std::ostream* out) {
  *out << (version == IpVersion::v4 ? "IPv4" : "IPv6");
}

}  // namespace lockstep::launch

namespace lockstep::test {

/// A socket address of either IP version.
struct Endpoint {
  sockaddr_storage storage{};
  socklen_t bytes = 0;

  Endpoint(const std::string& address, std::uint16_t port) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    if (inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
      v4->sin_family = AF_INET;
      v4->sin_port = htons(port);
      bytes = sizeof *v4;
    } else if (inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
      v6->sin6_family = AF_INET6;
      v6->sin6_port = htons(port);
      bytes = sizeof *v6;
    }
  }

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// A socket of the calling thread's network, bound to `here`; -1 inside when that failed.
inline transports::Descriptor bound_socket(const Endpoint& here, int type) {
  transports::Descriptor made(socket(here.storage.ss_family, type | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(made.get(), here.get(), here.bytes) != 0) made.reset();
  return made;
}

/// A datagram socket of each member, held by the test: a socket stays in the network where it was
/// made, whoever uses it.
class Datagrams {
 public:
  static constexpr std::uint16_t kPort = 7000;

  Datagrams(const Partitions& partitions, IpVersion version) {
    for (std::uint32_t rank = 0; rank < partitions.members(); ++rank) {
      here_.emplace_back(partitions.address(rank, version), kPort);
      const auto visited = partitions.network_of(rank).visit(
          [&] { sockets_.push_back(bound_socket(here_[rank], SOCK_DGRAM | SOCK_NONBLOCK)); });
      if (!visited) sockets_.emplace_back();
    }
  }

  /// Sends one datagram; false: the network refused it.
  bool send(std::uint32_t from, std::uint32_t to, std::uint32_t number) {
    return sendto(sockets_[from].get(), &number, sizeof number, 0, here_[to].get(),
                  here_[to].bytes) == sizeof number;
  }

  /// How many datagrams wait at `at`; waits up to `patience_ms` for the first.
  std::uint32_t receive(std::uint32_t at, int patience_ms) {
    pollfd watched{sockets_[at].get(), POLLIN, 0};
    poll(&watched, 1, patience_ms);
    std::uint32_t number = 0;
    std::uint32_t count = 0;
    while (recv(sockets_[at].get(), &number, sizeof number, 0) == sizeof number) ++count;
    return count;
  }

  /// Whether a datagram gets through. One that does takes microseconds; one that does not is
  /// waited for a little, so a wrong "yes" is impossible and a wrong "no" needs a stalled machine.
  bool arrives(std::uint32_t from, std::uint32_t to, int patience_ms) {
    return send(from, to, 1) && receive(to, patience_ms) == 1;
  }

 private:
  std::vector<Endpoint> here_;
  std::vector<transports::Descriptor> sockets_;
};

}  // namespace lockstep::test
