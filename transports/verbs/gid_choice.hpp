#pragma once

#include <infiniband/verbs.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "lockstep/error.hpp"

namespace lockstep::transports {

/// A port's address on RoCE: an IP address, IPv4 ones as ::ffff:a.b.c.d (RoCE v2, IBTA annex A17).
using Gid = std::array<std::uint8_t, 16>;

/// An IP literal, IPv4 or IPv6, as the GID it appears as. Errors: invalid_argument.
Expected<Gid> gid_of_address(const std::string& address);

/// As people write it: "10.77.0.1", "fe80::1".
[[nodiscard]] std::string text_of(const Gid& gid);

/// Which entry of a port's GID table to speak from. Never guesses what was asked for: an index that
/// is not there or not of RoCE v2, or an address that no entry has, is an error that names the
/// entries there are.
///
/// `table` is the port's part of what ibv_query_gid_table(3) says; `index` >= 0 overrides; else the
/// RoCE v2 entry of `wanted`; else of any address, routable ones before link-local ones.
Expected<ibv_gid_entry> choose_gid(std::span<const ibv_gid_entry> table, int index,
                                   const std::optional<Gid>& wanted, const std::string& device);

}  // namespace lockstep::transports
