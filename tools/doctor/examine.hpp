#pragma once

#include <string>
#include <vector>

#include "tools/doctor/finding.hpp"
#include "tools/doctor/machine.hpp"
#include "tools/doctor/probes.hpp"
#include "tools/doctor/tree.hpp"

namespace lockstep::doctor {

/// All findings about a machine, worst first and otherwise in the order of the checks. With
/// `transport`, one of kTransports, only those that bear on it, and its own is required. Reads some
/// hundred small files and tries each transport: milliseconds.
[[nodiscard]] std::vector<Finding> examine(const Tree& tree, Probes& probes, const Plan& plan,
                                           const std::string& transport = "");

}  // namespace lockstep::doctor
