#include "tools/launch/local_addresses.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "runtime/endpoint.hpp"

namespace lockstep::launch {
namespace {

/// Ports for those who are about to listen lie below those that Linux gives to whoever asks for any
/// (net.ipv4.ip_local_port_range), so that no connection takes one meanwhile.
constexpr std::uint32_t kFirstPort = 10'240;
constexpr std::uint32_t kPastPort = 32'768;
/// Processes whose numbers are neighbours begin so far apart: what one of them asks for in all.
constexpr std::uint32_t kPortsApart = 64;

/// The next port that this process may try. Any thread.
std::uint16_t next_port() {
  static std::atomic<std::uint32_t> asked{0};
  const std::uint32_t first = static_cast<std::uint32_t>(::getpid()) * kPortsApart;
  return static_cast<std::uint16_t>(kFirstPort + (first + asked++) % (kPastPort - kFirstPort));
}

/// Whether a socket of `type` could listen at `endpoint` now; errno says why not.
bool can_bind(const runtime::Endpoint& endpoint, int type) {
  const int socket = ::socket(endpoint.family(), type | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  const bool bound = ::bind(socket, endpoint.generic(), endpoint.length) == 0;
  const int error = errno;
  ::close(socket);
  errno = error;
  return bound;
}

/// A port that is free at `host`, for streams and for packets; 0: none, see errno.
std::uint16_t free_port(runtime::Endpoint host) {
  for (std::uint32_t tried = kFirstPort; tried < kPastPort; ++tried) {
    const std::uint16_t port = next_port();
    runtime::set_port(host, port);
    if (can_bind(host, SOCK_STREAM) && can_bind(host, SOCK_DGRAM)) return port;
    if (errno != EADDRINUSE && errno != EACCES) return 0;
  }
  return 0;
}

/// Address and interface of each device's first port, as the kernel shows them.
std::vector<std::string> rdma_hosts() {
  std::set<std::string> interfaces;
  std::error_code error;
  for (const auto& device : std::filesystem::directory_iterator("/sys/class/infiniband", error)) {
    std::ifstream file(device.path() / "ports/1/gid_attrs/ndevs/0");
    std::string name;
    if (file >> name) interfaces.insert(name);
  }
  std::vector<std::string> hosts;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return hosts;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    if (!interfaces.contains(one->ifa_name)) continue;
    const auto* address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
    std::array<char, INET_ADDRSTRLEN> text{};
    if (::inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size()) == nullptr) continue;
    hosts.emplace_back(text.data());
  }
  ::freeifaddrs(all);
  return hosts;
}

Expected<std::vector<std::string>> default_hosts(std::string_view transport) {
  if (transport != "verbs") return std::vector<std::string>{"127.0.0.1"};
  auto hosts = rdma_hosts();
  if (!hosts.empty()) return hosts;
  return fail(ErrorCode::not_supported,
              "no RDMA device has an IPv4 address here: 'tools/soft-roce up' makes one, --hosts "
              "names others ('ci/soft-roce COMMAND' runs a command where there are two)");
}

}  // namespace

Expected<std::vector<std::string>> local_addresses(std::string_view transport, std::uint32_t count,
                                                   const std::vector<std::string>& given) {
  if (transport == "auto" || transport == "shm") return std::vector<std::string>{};
  auto chosen = given.empty() ? default_hosts(transport) : given;
  if (!chosen) return chosen;
  const std::vector<std::string>& hosts = *chosen;
  std::vector<std::string> addresses;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string& host = hosts[i % hosts.size()];
    const std::string bracketed = host.contains(':') ? fmt::format("[{}]", host) : host;
    const auto endpoint = runtime::parse_endpoint(bracketed + ":1");
    if (!endpoint) return std::unexpected(endpoint.error());
    const std::uint16_t port = free_port(*endpoint);
    if (port == 0) {
      return fail(ErrorCode::system,
                  fmt::format("no free port at {}: {}; is it an address of this host?", host,
                              std::strerror(errno)));
    }
    addresses.push_back(fmt::format("{}:{}", bracketed, port));
  }
  return addresses;
}

}  // namespace lockstep::launch
