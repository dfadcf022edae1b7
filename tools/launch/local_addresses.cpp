#include "tools/launch/local_addresses.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace lockstep::launch {
namespace {

/// Keeps its port until it ends.
class Reserved {
 public:
  explicit Reserved(bool ipv6) : socket_(::socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0)) {
    sockaddr_storage address{};
    socklen_t length = ipv6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    if (ipv6) {
      auto& six = reinterpret_cast<sockaddr_in6&>(address);
      six.sin6_family = AF_INET6;
      six.sin6_addr = in6addr_loopback;
    } else {
      auto& four = reinterpret_cast<sockaddr_in&>(address);
      four.sin_family = AF_INET;
      four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket_, generic, length) != 0) return;
    if (::getsockname(socket_, generic, &length) != 0) return;
    // Both families keep the port in the same place.
    port_ = ntohs(reinterpret_cast<sockaddr_in&>(address).sin_port);
  }
  ~Reserved() {
    if (socket_ >= 0) ::close(socket_);
  }
  Reserved(Reserved&& other) noexcept : socket_(other.socket_), port_(other.port_) {
    other.socket_ = -1;
  }
  Reserved& operator=(Reserved&&) = delete;
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

 private:
  int socket_;
  std::uint16_t port_ = 0;
};
static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));

}  // namespace

Expected<std::vector<std::string>> local_addresses(std::uint32_t count, bool ipv6) {
  std::vector<Reserved> reserved;  // all at once, so that all differ
  std::vector<std::string> addresses;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Reserved& one = reserved.emplace_back(ipv6);
    if (one.port() == 0) {
      return fail(ErrorCode::system,
                  fmt::format("no free loopback port: {}", std::strerror(errno)));
    }
    addresses.push_back(fmt::format("{}:{}", ipv6 ? "[::1]" : "127.0.0.1", one.port()));
  }
  return addresses;
}

}  // namespace lockstep::launch
