#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lockstep/error.hpp"

namespace lockstep::launch {

/// `count` addresses of this host with ports that are free now, for members that the caller is
/// about to start; `hosts` (IP literals) in turn: "127.0.0.1:40001", "[::1]:40002". Somebody else
/// may take one before they do. Errors: configuration (no such host), system.
Expected<std::vector<std::string>> local_addresses(std::uint32_t count,
                                                   const std::vector<std::string>& hosts);

}  // namespace lockstep::launch
