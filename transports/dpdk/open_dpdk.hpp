#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lockstep/config.hpp"
#include "lockstep/error.hpp"
#include "transports/datagrams/port.hpp"
#include "transports/dpdk/plugin_options.hpp"

namespace lockstep::transports::dpdk {

/// The port of the member at `my_rank`, as `config` describes it. Blocks. Errors: configuration (an
/// address that is none), and those of load_port.
Expected<std::unique_ptr<Port>> open_dpdk(const GroupConfig& config, std::uint32_t my_rank,
                                          Notices& notices);

/// GroupConfig::dpdk_devices, one by one, "memif:NAME" and "rings:NAME" taken apart.
std::vector<std::string> devices_of(const std::string& words, std::uint32_t my_rank,
                                    std::uint32_t members);

}  // namespace lockstep::transports::dpdk
