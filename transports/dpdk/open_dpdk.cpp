#include "transports/dpdk/open_dpdk.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <sstream>

#include "runtime/endpoint.hpp"
#include "transports/dpdk/load_port.hpp"

namespace lockstep::transports::dpdk {
namespace {

constexpr std::string_view kMemif = "memif:";
constexpr std::string_view kRings = "rings:";

std::vector<std::string> words_in(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

/// The lower rank of two is the server: it listens at one socket for all who are above it.
std::string memif_between(std::string_view name, std::uint32_t mine, std::uint32_t peer) {
  const bool server = mine < peer;
  return fmt::format("net_memif_{}_{},role={},id={},socket=lockstep-{}-{},socket-abstract=yes",
                     mine, peer, server ? "server" : "client", std::max(mine, peer), name,
                     std::min(mine, peer));
}

IpAddress ip_of(const runtime::Endpoint& endpoint) {
  IpAddress ip;
  if (endpoint.family() == AF_INET6) {
    ip.six = true;
    std::memcpy(ip.bytes.data(),
                &reinterpret_cast<const sockaddr_in6*>(endpoint.generic())->sin6_addr,
                sizeof(in6_addr));
  } else {
    std::memcpy(ip.bytes.data(),
                &reinterpret_cast<const sockaddr_in*>(endpoint.generic())->sin_addr,
                sizeof(in_addr));
  }
  return ip;
}

}  // namespace

std::vector<std::string> devices_of(const std::string& words, std::uint32_t my_rank,
                                    std::uint32_t members) {
  std::vector<std::string> devices;
  for (const std::string& word : words_in(words)) {
    const bool memif = word.starts_with(kMemif);
    if (!memif && !word.starts_with(kRings)) {
      devices.push_back(word);
      continue;
    }
    const std::string_view name = std::string_view(word).substr(kMemif.size());
    static_assert(kMemif.size() == kRings.size());
    for (std::uint32_t peer = 0; peer < members; ++peer) {
      if (peer == my_rank) continue;
      devices.push_back(memif ? memif_between(name, my_rank, peer)
                              : fmt::format("pair:{}.{}.{}", name, std::min(my_rank, peer),
                                            std::max(my_rank, peer)));
    }
  }
  return devices;
}

Expected<std::unique_ptr<Port>> open_dpdk(const GroupConfig& config, std::uint32_t my_rank,
                                          Notices& notices) {
  const auto mine = runtime::parse_endpoint(config.addresses[my_rank]);
  if (!mine) return std::unexpected(mine.error());
  const auto members = static_cast<std::uint32_t>(config.members.size());
  const bool udp = config.dpdk_encapsulation == "udp";
  return load_port(config.dpdk_plugin,
                   {.devices = devices_of(config.dpdk_devices, my_rank, members),
                    .eal = words_in(config.dpdk_eal),
                    .encapsulation = udp ? Encapsulation::udp : Encapsulation::ethernet,
                    .address = ip_of(*mine),
                    .udp_port = runtime::port_of(*mine),
                    .peers = std::max(members, 2U) - 1,
                    .prefix = fmt::format("lockstep-{}", ::getpid())},
                   notices);
}

}  // namespace lockstep::transports::dpdk
