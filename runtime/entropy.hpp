#pragma once

#include <cstdint>

#include "lockstep/error.hpp"

namespace lockstep::runtime {

/// 64 bits from the kernel (getrandom(2)), for what nobody shall guess. Errors: system.
Expected<std::uint64_t> random_word();

}  // namespace lockstep::runtime
