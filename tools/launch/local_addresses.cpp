#include "tools/launch/local_addresses.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
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
