#include "tools/node/address.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace lockstep::node {
namespace {

constexpr int kBacklog = 64;
constexpr int kAlivePatienceMs = 1'000;

std::unexpected<Error> failed(const Address& address, std::string_view step, int reason) {
  return fail(ErrorCode::system,
              fmt::format("{}: {}: {}", address.text, step, std::strerror(reason)));
}

Expected<Address> parse_path(std::string_view text) {
  Address address{.text = std::string(text), .is_path = true};
  sockaddr_un path{};
  path.sun_family = AF_UNIX;
  if (text.size() >= sizeof path.sun_path || text.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("a socket's path of {} bytes; at most {} are allowed", text.size(),
                            sizeof path.sun_path - 1));
  }
  std::memcpy(path.sun_path, text.data(), text.size());
  std::memcpy(&address.socket, &path, sizeof path);
  address.socket_bytes = sizeof path;
  return address;
}

template <class SocketAddress>
Address with(std::string_view text, const SocketAddress& socket) {
  Address address{.text = std::string(text)};
  std::memcpy(&address.socket, &socket, sizeof socket);
  address.socket_bytes = sizeof socket;
  return address;
}

Expected<Descriptor> new_socket(const Address& address) {
  Descriptor socket(
      ::socket(address.socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return failed(address, "cannot make a socket", errno);
  return socket;
}

const sockaddr* generic(const Address& address) {
  return reinterpret_cast<const sockaddr*>(&address.socket);
}

/// Removes a socket that nobody listens at any more; leaves everything else alone.
Expected<void> clear_path(const Address& address) {
  struct stat file{};
  if (::lstat(address.text.c_str(), &file) != 0) return {};
  if (!S_ISSOCK(file.st_mode)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{} exists and is no socket; name another path", address.text));
  }
  if (connect_to(address, kAlivePatienceMs)) {
    return fail(ErrorCode::identity_in_use,
                fmt::format("{}: somebody serves there; name another path", address.text));
  }
  ::unlink(address.text.c_str());
  return {};
}

}  // namespace

Expected<Address> parse_address(std::string_view text) {
  if (text.find('/') != std::string_view::npos) return parse_path(text);
  const auto refused = [&] {
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' must be an IP address and a port (127.0.0.1:7100, [::1]:7100) or "
                            "the path of a unix socket, with a slash in it",
                            text));
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refused();
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
  if (parsed.ec != std::errc() || parsed.ptr != end || port == 0) return refused();
  std::string host(text.substr(0, colon));
  sockaddr_in four{};
  if (::inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    return with(text, four);
  }
  if (host.size() < 2 || host.front() != '[' || host.back() != ']') return refused();
  host = host.substr(1, host.size() - 2);
  sockaddr_in6 six{};
  if (::inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) != 1) return refused();
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  return with(text, six);
}

Expected<Descriptor> listen_at(const Address& address) {
  if (address.is_path) {
    if (auto cleared = clear_path(address); !cleared) return std::unexpected(cleared.error());
  }
  auto socket = new_socket(address);
  if (!socket) return socket;
  const int yes = 1;
  ::setsockopt(socket->get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(socket->get(), generic(address), address.socket_bytes) != 0) {
    const int reason = errno;
    auto error = failed(address, "cannot serve clients there", reason);
    if (reason == EADDRINUSE) error.error().code = ErrorCode::identity_in_use;
    return error;
  }
  if (::listen(socket->get(), kBacklog) != 0) return failed(address, "listen", errno);
  return socket;
}

Expected<Descriptor> connect_to(const Address& address, int timeout_ms) {
  auto socket = new_socket(address);
  if (!socket) return socket;
  if (::connect(socket->get(), generic(address), address.socket_bytes) == 0) return socket;
  if (errno != EINPROGRESS) return failed(address, "no member answers there", errno);
  pollfd wanted{.fd = socket->get(), .events = POLLOUT, .revents = 0};
  if (::poll(&wanted, 1, timeout_ms) <= 0) {
    return fail(ErrorCode::timed_out,
                fmt::format("{}: no connection within {} ms", address.text, timeout_ms));
  }
  int reason = 0;
  socklen_t reason_bytes = sizeof reason;
  ::getsockopt(socket->get(), SOL_SOCKET, SO_ERROR, &reason, &reason_bytes);
  if (reason != 0) return failed(address, "no member answers there", reason);
  return socket;
}

}  // namespace lockstep::node
