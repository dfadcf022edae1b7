#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "ordering/variant.hpp"
#include "ordering/view_order.hpp"
#include "transports/transport.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {

/// Who gives the state to whom: the same at every member, since it follows from the views alone,
/// and a joiner is told with its first view (Welcome) what followed from those before.
///
/// A joiner gets the state that everybody has when a view begins (the cut), from the highest rank
/// that has it and gives it to nobody else: so a state machine keeps one snapshot at a time, and
/// the lowest rank, the arbiter, has the least to do. It keeps its donor from view to view; if the
/// donor is gone it begins again, with the next free one and the cut of that view. While nobody is
/// free it waits, and when somebody is, a view with the same members follows: a cut (Agreement).
class Donors {
 public:
  struct Donation {
    transports::LinkId to = 0;
    transports::LinkId from = 0;
    std::uint64_t cut = 0;  ///< the view whose beginning is given
    bool operator==(const Donation&) const = default;
  };

  Donors() = default;
  /// Of a view that others installed. `waiting`: ranks, a bit each.
  Donors(std::vector<Donation> donations, std::uint64_t waiting)
      : donations_(std::move(donations)), waiting_(waiting) {}

  /// A view begins. `stateless`: ranks without the state, a bit each.
  void installed(std::uint64_t view, const ordering::ViewLayout& layout, std::uint64_t stateless);

  /// By rank of who gets it. No two have the same donor.
  [[nodiscard]] const std::vector<Donation>& donations() const noexcept { return donations_; }
  /// Ranks that lack the state and for whom nobody is free, a bit each.
  [[nodiscard]] std::uint64_t waiting() const noexcept { return waiting_; }

  /// True if somebody of `staying` waits, and somebody of them is free by now. `with_state`: ranks
  /// that have the state by now.
  [[nodiscard]] bool need_a_cut(const ordering::ViewLayout& layout, std::uint64_t staying,
                                std::uint64_t with_state) const noexcept;

 private:
  std::vector<Donation> donations_;
  std::uint64_t waiting_ = 0;
};

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
