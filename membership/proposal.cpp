#include "membership/proposal.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstddef>

namespace lockstep::membership::inline LOCKSTEP_VARIANT {

std::size_t Proposal::bytes() const noexcept {
  const std::size_t used = offsetof(Proposal, trims) +
                           std::min<std::uint64_t>(streams, kMostMembers) * sizeof(std::uint64_t);
  return (used + 63) / 64 * 64;
}

std::uint64_t Proposal::compute_checksum() const noexcept {
  Proposal copy = *this;
  copy.checksum = 0;
  return XXH3_64bits(&copy, bytes());
}

bool Proposal::sound() const noexcept {
  return streams > 0 && streams <= kMostMembers && kept != 0 && joiner.named <= 1 &&
         joiner.link < kMostMembers && checksum == compute_checksum();
}

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
