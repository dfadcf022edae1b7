#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "lockstep/error.hpp"
#include "tools/node/descriptor.hpp"

namespace lockstep::node {

/// Where a member serves its clients: an IP address and a port, or a path in the file system.
struct Address {
  std::string text;  ///< as it was written
  bool is_path = false;
  sockaddr_storage socket{};
  socklen_t socket_bytes = 0;
};

/// "127.0.0.1:7100", "[::1]:7100", or, with a slash in it, the path of a unix socket. Names are not
/// looked up. Errors: invalid_argument, with what is allowed.
Expected<Address> parse_address(std::string_view text);

/// A non-blocking socket that listens at `address`. A path left behind by a process that is gone is
/// taken over. Errors: system, identity_in_use (somebody serves there), invalid_argument (the path
/// is that of something else).
Expected<Descriptor> listen_at(const Address& address);

/// A non-blocking socket that is connected. Blocks for at most `timeout_ms`. Errors: system,
/// timed_out.
Expected<Descriptor> connect_to(const Address& address, int timeout_ms);

}  // namespace lockstep::node
