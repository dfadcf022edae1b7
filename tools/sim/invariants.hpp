#pragma once

#include "tools/sim/checkers.hpp"
#include "tools/sim/history.hpp"

namespace lockstep::sim {

/// All checkers over one history as it happens; keeps the first violation.
class Invariants {
 public:
  explicit Invariants(std::uint32_t members)
      : total_order_(members), uniformity_(members), integrity_(members), validity_(members) {}

  void published(const Published& event) {
    note(integrity_.published(event));
    validity_.published(event);
  }
  void delivered(const Delivered& event) {
    note(uniformity_.delivered(event));
    note(integrity_.delivered(event));
    note(total_order_.delivered(event));
    validity_.delivered(event);
  }
  void crashed(std::uint32_t member) { validity_.crashed(member); }

  /// Everything published is delivered everywhere it has to be.
  [[nodiscard]] bool complete() const { return validity_.complete(); }
  /// The members had all the time they can need.
  void time_is_up(std::uint64_t now_ns) { note(validity_.finished(now_ns)); }

  /// For what the driver itself sees.
  void note(Violation violation) {
    if (!violation_.has_value()) violation_ = std::move(violation);
  }
  [[nodiscard]] const Violation& violation() const { return violation_; }

 private:
  TotalOrder total_order_;
  Uniformity uniformity_;
  Integrity integrity_;
  Validity validity_;
  Violation violation_;
};

}  // namespace lockstep::sim
