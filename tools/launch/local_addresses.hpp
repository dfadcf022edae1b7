#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lockstep/error.hpp"

namespace lockstep::launch {

/// `count` loopback addresses with ports that are free now, for members that the caller is about
/// to start: "127.0.0.1:40001", or "[::1]:40001". Somebody else may take one before they do.
Expected<std::vector<std::string>> local_addresses(std::uint32_t count, bool ipv6 = false);

}  // namespace lockstep::launch
