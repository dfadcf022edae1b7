#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "ordering/variant.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {

/// Members of a view, at most; a set of ranks is one word.
inline constexpr std::uint32_t kMostMembers = 64;

/// Who comes in with the next view, at a rank above all that are kept. One a view: of two, neither
/// could show that it has a link to the other.
struct Joiner {
  std::uint64_t named = 0;  ///< 1: there is one
  std::uint64_t link = 0;   ///< transports::LinkId, the same number at every member
  std::uint64_t nonce = 0;  ///< which incarnation: the epoch nonce of its ring
  std::uint64_t sends = 0;  ///< 1: it may multicast
};

/// What the members of a view agree on, once: how it ends and who goes on (DESIGN §6). Lies in a
/// row, so it is nothing but words; the checksum makes a half-written one worthless.
struct alignas(64) Proposal {
  std::uint64_t number = 0;       ///< Attempt under which it was accepted
  std::uint64_t kept = 0;         ///< ranks that go on, a bit each
  std::uint64_t first_index = 0;  ///< where turns begin in the next view
  std::uint64_t streams = 0;      ///< how many trims there are
  std::uint64_t checksum = 0;     ///< of all the rest, number included
  std::uint64_t stateless = 0;    ///< ranks of the *next* view that still lack the state
  Joiner joiner;
  std::uint64_t unused[6]{};
  /// Per stream, in sender order: how many turns belong to the ended view.
  std::array<std::uint64_t, kMostMembers> trims{};

  /// Bytes that are written to peers: a whole number of lines.
  [[nodiscard]] std::size_t bytes() const noexcept;
  [[nodiscard]] std::uint64_t compute_checksum() const noexcept;
  void seal() noexcept { checksum = compute_checksum(); }
  /// True if it is whole, and says what a correct member can have said.
  [[nodiscard]] bool sound() const noexcept;
};
static_assert(offsetof(Proposal, trims) % 64 == 0);

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
