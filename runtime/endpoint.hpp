#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "lockstep/error.hpp"

namespace lockstep::runtime {

/// Where a member is reached: an IP address and a port, as sockets take them.
struct Endpoint {
  sockaddr_storage address{};
  socklen_t length = 0;

  [[nodiscard]] const sockaddr* generic() const noexcept {
    return reinterpret_cast<const sockaddr*>(&address);
  }
  [[nodiscard]] int family() const noexcept { return address.ss_family; }
};

/// The longest there is: "[", an IPv6 address, "%", an interface, "]:" and a port.
inline constexpr std::size_t kMostEndpointCharacters = 1 + 45 + 1 + 15 + 2 + 5;

/// Reads "10.0.0.1:7000" or "[fd00::1]:7000", with a scope where one is needed
/// ("[fe80::1%eth0]:7000"). Literals only: looking a name up could block for long. Port 1 to 65535.
/// Error: configuration, saying what is allowed.
Expected<Endpoint> parse_endpoint(std::string_view text);

/// The address alone, as `parse_endpoint` takes it, without port and brackets.
std::string host_of(const Endpoint& endpoint);

/// Both, in the one way of writing them that all texts of the same endpoint come to.
std::string to_text(const Endpoint& endpoint);

std::uint16_t port_of(const Endpoint& endpoint);
void set_port(Endpoint& endpoint, std::uint16_t port);

/// Whether it means something at its own host only: every address of that host ("0.0.0.0", "::"),
/// or an address of one of its links ("fe80::1").
bool is_of_one_host(const Endpoint& endpoint);

/// The port of `endpoint` at `host`, which is as host_of gives it. Error: as parse_endpoint.
Expected<Endpoint> at_host(const Endpoint& endpoint, std::string_view host);

}  // namespace lockstep::runtime
