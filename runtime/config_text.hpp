#pragma once

#include <string>
#include <string_view>

#include "lockstep/config.hpp"

namespace lockstep::runtime {

/// The settings on which all members must agree, one `key=value` line each, in a fixed order:
/// equal configurations give equal text. `senders` is written in rank order and in full, since
/// leaving it empty means the same as naming all. Expects a valid configuration.
[[nodiscard]] std::string canonical_text(const GroupConfig& config);

/// The first setting in which two canonical texts differ, for a message:
/// "ring_bytes is 1048576 here and 65536 there". Empty if they are equal. `theirs` may be anything:
/// bytes that do not print come out as '?'.
[[nodiscard]] std::string first_difference(std::string_view mine, std::string_view theirs);

}  // namespace lockstep::runtime
