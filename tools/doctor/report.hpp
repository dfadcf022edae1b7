#pragma once

#include <span>
#include <string>

#include "tools/doctor/finding.hpp"

namespace lockstep::doctor {

/// For people: one line a finding, aligned, with what is wanted and the mend below those that are
/// not ok; a count at the end.
[[nodiscard]] std::string to_text(std::span<const Finding> findings);

/// For programs: a list of objects with exactly id, severity, found, wanted and mend, all strings.
[[nodiscard]] std::string to_json(std::span<const Finding> findings);

}  // namespace lockstep::doctor
