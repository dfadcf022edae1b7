#pragma once

#include <string>

namespace lockstep::runtime {

/// Tells this host from every other: the random id that Linux makes at boot
/// (/proc/sys/kernel/random/boot_id, see random(4)); containers on one host share it, as they
/// share its CPUs. The host's name where that file cannot be read.
std::string host_identity();

}  // namespace lockstep::runtime
