#pragma once

#include <cstdint>

#include "transports/hello/hello_packet.hpp"
#include "transports/hello/link_keys.hpp"

namespace lockstep::transports {

/// Where this process runs.
Machine this_machine();

/// Which links are sealed, where members have a key: GroupConfig::encryption.
enum class Encryption : std::uint8_t { off_host, always, never };

/// Whether a link between the two is sealed, and how: both ends come to the same.
bool seals(Encryption encryption, const Machine& one, const Machine& other) noexcept;
CipherKind common_cipher(const Machine& one, const Machine& other) noexcept;

}  // namespace lockstep::transports
