#pragma once

#include <span>
#include <string>
#include <vector>

#include "tools/doctor/probes.hpp"

namespace lockstep::doctor {

/// Where the dpdk transport's shared object may be: beside this program, in the lib folder beside
/// its own, and wherever dlopen(3) looks by itself.
[[nodiscard]] std::vector<std::string> dpdk_plugin_paths();

/// Loads the first of `paths` that can be loaded, and unloads it again. A path without a slash is
/// looked for by dlopen. The DPDK libraries come with it; EAL is not started.
[[nodiscard]] Trial try_dpdk_plugin(std::span<const std::string> paths);

}  // namespace lockstep::doctor
