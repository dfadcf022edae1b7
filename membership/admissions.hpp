#pragma once

#include <array>
#include <cstdint>

#include "membership/proposal.hpp"
#include "ordering/variant.hpp"
#include "transports/transport.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {

/// Who wants to join, and has a link to this member that works: what it brings along. Others may
/// know of others: who is known to all can be named.
class Admissions {
 public:
  void admit(transports::LinkId link, std::uint64_t nonce, bool sends) noexcept {
    links_ |= std::uint64_t{1} << link;
    nonces_[link] = nonce;
    sending_ = (sending_ & ~(std::uint64_t{1} << link)) | std::uint64_t{sends ? 1U : 0U} << link;
  }
  void withdraw(transports::LinkId link) noexcept { links_ &= ~(std::uint64_t{1} << link); }

  /// A bit per link.
  [[nodiscard]] std::uint64_t links() const noexcept { return links_; }
  [[nodiscard]] std::uint64_t nonce(transports::LinkId link) const noexcept {
    return nonces_[link];
  }
  [[nodiscard]] bool sends(transports::LinkId link) const noexcept {
    return (sending_ >> link & 1U) != 0;
  }

 private:
  std::uint64_t links_ = 0;
  std::uint64_t sending_ = 0;
  std::array<std::uint64_t, kMostMembers> nonces_{};
};

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
