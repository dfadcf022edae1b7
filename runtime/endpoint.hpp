#pragma once

#include <sys/socket.h>

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

/// Reads "10.0.0.1:7000" or "[fd00::1]:7000", with a scope where one is needed
/// ("[fe80::1%eth0]:7000"). Literals only: looking a name up could block for long. Port 1 to 65535.
/// Error: configuration, saying what is allowed.
Expected<Endpoint> parse_endpoint(std::string_view text);

/// The address alone, as `parse_endpoint` takes it, without port and brackets.
std::string host_of(const Endpoint& endpoint);

}  // namespace lockstep::runtime
