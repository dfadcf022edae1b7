#pragma once

#include <array>
#include <span>
#include <string_view>

#include "tools/doctor/finding.hpp"
#include "tools/doctor/machine.hpp"
#include "tools/doctor/probes.hpp"
#include "tools/doctor/tree.hpp"

namespace lockstep::doctor {

inline constexpr std::array<std::string_view, 5> kTransports = {"shm", "tcp", "udp", "verbs",
                                                                "dpdk"};

/// Finding `transport_NAME`: whether that transport, one of kTransports, can run here. It is ok or
/// an error where the transport is `required`, and only a note where it cannot run and is not.
/// Of another machine's files none is promised: nothing can be tried there.
[[nodiscard]] Finding check_transport(const Tree& tree, const Machine& machine, Probes& probes,
                                      std::string_view transport, bool required);

/// The ids of the other findings that bear on a transport.
[[nodiscard]] std::span<const std::string_view> related_to(std::string_view transport);

}  // namespace lockstep::doctor
