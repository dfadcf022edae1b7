#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/error.hpp"

namespace lockstep::launch {

/// `count` addresses of this host with ports that are free now, for members that the caller is
/// about to start over `transport`; `hosts` (IP literals) in turn: "127.0.0.1:40001",
/// "[::1]:40002". Without hosts: for tcp the loopback address, for verbs the IPv4 addresses of the
/// interfaces below this host's RDMA devices. A transport that needs no addresses gets none.
/// Processes that ask at the same time get different ports, as long as each asks for few; a
/// stranger may still take one before the members do. Errors: configuration (no such host),
/// not_supported (no RDMA device has an address), system.
Expected<std::vector<std::string>> local_addresses(std::string_view transport, std::uint32_t count,
                                                   const std::vector<std::string>& hosts);

}  // namespace lockstep::launch
