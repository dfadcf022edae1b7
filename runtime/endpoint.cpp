#include "runtime/endpoint.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>

#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>

namespace lockstep::runtime {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc{} || stop != end || port == 0) return std::nullopt;
  return port;
}

bool parse_ipv4(const std::string& host, std::uint16_t port, Endpoint& endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) return false;
  std::memcpy(&endpoint.address, &address, sizeof address);
  endpoint.length = sizeof address;
  return true;
}

bool parse_ipv6(std::string host, std::uint16_t port, Endpoint& endpoint) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  if (const std::size_t percent = host.find('%'); percent != std::string::npos) {
    address.sin6_scope_id = if_nametoindex(host.c_str() + percent + 1);
    if (address.sin6_scope_id == 0) return false;
    host.resize(percent);
  }
  if (inet_pton(AF_INET6, host.c_str(), &address.sin6_addr) != 1) return false;
  std::memcpy(&endpoint.address, &address, sizeof address);
  endpoint.length = sizeof address;
  return true;
}

std::string with_port(std::string_view host, std::uint16_t port) {
  const bool six = host.contains(':');
  return fmt::format("{}{}{}:{}", six ? "[" : "", host, six ? "]" : "", port);
}

}  // namespace

std::uint16_t port_of(const Endpoint& endpoint) {
  if (endpoint.family() == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&endpoint.address)->sin_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in6*>(&endpoint.address)->sin6_port);
}

void set_port(Endpoint& endpoint, std::uint16_t port) {
  if (endpoint.family() == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&endpoint.address)->sin_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in6*>(&endpoint.address)->sin6_port = htons(port);
  }
}

Expected<Endpoint> parse_endpoint(std::string_view text) {
  const bool six = text.starts_with('[');
  const std::size_t colon = text.rfind(six ? "]:" : ":");
  Endpoint endpoint;
  if (colon != std::string_view::npos && text.size() <= kMostEndpointCharacters) {
    const auto port = parse_port(text.substr(colon + (six ? 2 : 1)));
    const std::string host(six ? text.substr(1, colon - 1) : text.substr(0, colon));
    const bool good =
        port && (six ? parse_ipv6(host, *port, endpoint) : parse_ipv4(host, *port, endpoint));
    if (good) return endpoint;
  }
  return fail(ErrorCode::configuration,
              fmt::format("\"{}\" is no IP address with a port; write 10.0.0.1:7000 or "
                          "[fd00::1]:7000",
                          text.substr(0, kMostEndpointCharacters)));
}

std::string host_of(const Endpoint& endpoint) {
  char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1] = {};
  if (endpoint.family() == AF_INET) {
    const auto* address = reinterpret_cast<const sockaddr_in*>(&endpoint.address);
    inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
    return text;
  }
  const auto* address = reinterpret_cast<const sockaddr_in6*>(&endpoint.address);
  inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof text);
  char interface[IF_NAMESIZE] = {};
  if (address->sin6_scope_id == 0) return text;
  if (if_indextoname(address->sin6_scope_id, interface) == nullptr) return text;
  return fmt::format("{}%{}", text, interface);
}

std::string to_text(const Endpoint& endpoint) {
  return with_port(host_of(endpoint), port_of(endpoint));
}

bool is_of_one_host(const Endpoint& endpoint) {
  if (endpoint.family() == AF_INET) {
    const auto* four = reinterpret_cast<const sockaddr_in*>(&endpoint.address);
    return four->sin_addr.s_addr == htonl(INADDR_ANY);
  }
  const auto* six = reinterpret_cast<const sockaddr_in6*>(&endpoint.address);
  return IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr) || IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr);
}

Expected<Endpoint> at_host(const Endpoint& endpoint, std::string_view host) {
  return parse_endpoint(with_port(host, port_of(endpoint)));
}

}  // namespace lockstep::runtime
