#pragma once

#include <cstdint>
#include <span>

#include "ordering/variant.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {

/// The largest set of members in which nobody reports anybody, ties to the lowest ranks (DESIGN
/// §6, keep): one broken link costs one member, the higher rank, and a sick leader is left out like
/// anyone. `reports[rank]` has a bit for each rank that this one cannot reach. Deterministic, so
/// members with equal tables keep equal sets; work is bounded: beyond kMostSteps the best set found
/// is taken. At most 64 members; allocates nothing; any thread.
///
/// This is a maximum independent set; with the few members that are in conflict at a time, trying
/// who stays, lowest rank first, is exact.
[[nodiscard]] std::uint64_t kept_set(std::span<const std::uint64_t> reports) noexcept;

inline constexpr std::uint32_t kMostSteps = 20'000;

/// More than half of `members` members, or exactly half with rank 0: two such sets always meet.
[[nodiscard]] bool is_quorum(std::uint64_t set, std::uint32_t members) noexcept;

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
