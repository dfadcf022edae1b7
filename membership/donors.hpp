#pragma once

#include <cstdint>
#include <vector>

#include "ordering/variant.hpp"
#include "ordering/view_order.hpp"
#include "transports/transport.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {

/// Who gives the state to whom: the same at every member, since it follows from the views alone.
///
/// A joiner gets the state that everybody has when a view begins (the cut), from the highest rank
/// that has it: so the lowest, the arbiter, has the least to do. It keeps its donor from view to
/// view; if the donor is gone it begins again, with the next donor and the cut of that view.
class Donors {
 public:
  struct Donation {
    transports::LinkId to = 0;
    transports::LinkId from = 0;
    std::uint64_t cut = 0;  ///< the view whose beginning is given
  };

  /// A view begins. `stateless`: ranks without the state, a bit each.
  void installed(std::uint64_t view, const ordering::ViewLayout& layout, std::uint64_t stateless);

  [[nodiscard]] const std::vector<Donation>& donations() const noexcept { return donations_; }

 private:
  std::vector<Donation> donations_;
};

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
