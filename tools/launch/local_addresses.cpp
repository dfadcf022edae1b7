#include "tools/launch/local_addresses.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/endpoint.hpp"

namespace lockstep::launch {
namespace {

/// Both families keep the port in the same place.
static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
in_port_t& port_of(sockaddr_storage& address) {
  return reinterpret_cast<sockaddr_in&>(address).sin_port;
}

/// Keeps a port that the system chose until it ends.
class Reserved {
 public:
  explicit Reserved(runtime::Endpoint host)
      : socket_(::socket(host.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    port_of(host.address) = 0;
    auto* generic = reinterpret_cast<sockaddr*>(&host.address);
    if (::bind(socket_, generic, host.length) != 0) return;
    if (::getsockname(socket_, generic, &host.length) != 0) return;
    port_ = ntohs(port_of(host.address));
  }
  ~Reserved() {
    if (socket_ >= 0) ::close(socket_);
  }
  Reserved(Reserved&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), port_(other.port_) {}
  Reserved& operator=(Reserved&&) = delete;
  /// 0: none was to be had, see errno.
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

 private:
  int socket_;
  std::uint16_t port_ = 0;
};

}  // namespace

Expected<std::vector<std::string>> local_addresses(std::uint32_t count,
                                                   const std::vector<std::string>& hosts) {
  std::vector<Reserved> reserved;  // all at once, so that all differ
  std::vector<std::string> addresses;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string& host = hosts[i % hosts.size()];
    const std::string bracketed = host.contains(':') ? fmt::format("[{}]", host) : host;
    const auto endpoint = runtime::parse_endpoint(bracketed + ":1");
    if (!endpoint) return std::unexpected(endpoint.error());
    const Reserved& one = reserved.emplace_back(*endpoint);
    if (one.port() == 0) {
      return fail(ErrorCode::system,
                  fmt::format("no free port at {}: {}; is it an address of this host?", host,
                              std::strerror(errno)));
    }
    addresses.push_back(fmt::format("{}:{}", bracketed, one.port()));
  }
  return addresses;
}

}  // namespace lockstep::launch
