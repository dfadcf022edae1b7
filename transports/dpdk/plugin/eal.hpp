#pragma once

#include <string>
#include <vector>

#include "lockstep/error.hpp"
#include "transports/dpdk/plugin_options.hpp"
#include "transports/notices.hpp"

namespace lockstep::transports::dpdk {

/// Starts DPDK's environment (EAL), once per process: all its members share it, so a later one with
/// other arguments is refused. It claims no CPU, looks for no PCI device unless one is named, takes
/// huge pages if some are free, and leaves the caller's affinity alone.
///
/// Any thread. Errors: configuration, system, each with what DPDK said.
Expected<void> start_eal(const PluginOptions& options, Notices& notices);

/// Whether it is an address of a PCI device ("0000:3b:00.0") and not a virtual one.
bool is_pci(const std::string& device);

}  // namespace lockstep::transports::dpdk
