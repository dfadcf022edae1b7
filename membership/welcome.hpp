#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "membership/donors.hpp"
#include "membership/proposal.hpp"
#include "ordering/variant.hpp"
#include "ordering/view_order.hpp"
#include "transports/transport.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {

/// What a joiner must know to begin: its first view, as every member that was kept writes it into
/// the joiner's memory when it installs that view. Words only, with a checksum: a half-written one
/// is nothing.
struct alignas(64) Welcome {
  std::uint64_t view = 0;  ///< 0: none
  std::uint64_t copy = 0;  ///< see ordering::ViewLayout, as all below
  std::uint64_t first_index = 0;
  std::uint64_t timestamp_ns = 0;
  std::uint64_t members = 0;
  std::uint64_t senders = 0;   ///< a bit per rank
  std::uint64_t waiting = 0;   ///< Donors::waiting
  std::uint64_t checksum = 0;  ///< of all the rest
  std::array<std::uint64_t, kMostMembers> links{};
  std::array<std::uint64_t, kMostMembers> nonces{};
  /// Of who is given the state, the donor's link and the cut; of all others, the cut is 0.
  std::array<std::uint64_t, kMostMembers> donors{};
  std::array<std::uint64_t, kMostMembers> cuts{};

  static Welcome to(std::uint64_t view, const ordering::ViewLayout& layout,
                    const Donors& donors) noexcept;
  /// True if it is whole, and says what a correct member can have said.
  [[nodiscard]] bool sound() const noexcept;

 private:
  [[nodiscard]] std::uint64_t compute_checksum() const noexcept;
};
static_assert(sizeof(Welcome) % 64 == 0);

/// Where a joiner begins.
struct FirstView {
  std::uint64_t view = 0;
  ordering::ViewLayout layout;
  Donors donors;
};

/// Looks whether a member has welcomed this joiner, which is `my_link` of the group, in the
/// incarnation `my_nonce`; `links` are those it has, a bit each. The newest welcome counts. Reads
/// memory that peers write; allocates only when it finds one. (model/joins.pml, BEGIN.)
std::optional<FirstView> find_welcome(transports::Transport& transport, std::uint64_t ring_bytes,
                                      std::uint64_t links, transports::LinkId my_link,
                                      std::uint64_t my_nonce);

/// False if a member of that view met this joiner when it was in it, or in a later one: then it had
/// let the joiner go, and the view has ended. `met_in`: by link, the view that its member was in.
/// (model/admission.pml, begins-with-an-ended-view.)
bool still_runs(const FirstView& first, std::span<const std::uint64_t> met_in) noexcept;

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
