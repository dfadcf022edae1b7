#pragma once

#include <memory>
#include <string>

#include "lockstep/error.hpp"
#include "transports/datagrams/port.hpp"
#include "transports/dpdk/plugin_options.hpp"
#include "transports/dpdk/wire.hpp"

namespace lockstep::transports::dpdk {

/// Loads liblockstep_dpdk.so, which is linked with DPDK as nothing else is, and opens a port with
/// it. `plugin`: its path; empty: it is looked for beside this program or library, then where the
/// loader looks. It stays loaded: DPDK cannot be ended and begun again.
///
/// Blocks for as long as DPDK needs, some 0.2 s the first time. Errors: not_supported (no plug-in,
/// or one of another build), configuration and system (DPDK's, with its reason).
Expected<std::unique_ptr<Port>> load_port(const std::string& plugin, const PluginOptions& options,
                                          Notices& notices);

/// The same for bare frames by one device. As load_port otherwise.
Expected<std::unique_ptr<Wire>> load_wire(const std::string& plugin, const PluginOptions& options,
                                          Notices& notices);

/// Where the plug-in is looked for, in turn.
std::vector<std::string> plugin_paths(const std::string& plugin);

}  // namespace lockstep::transports::dpdk
