#pragma once

#include <cstdint>
#include <vector>

#include "tools/sim/history.hpp"

namespace lockstep::sim {

// The invariants of DESIGN §9 as a reader of histories: publications, deliveries and crashes, in
// the order they happened. They know nothing of how the order is made and share no code with it,
// so that one mistake cannot hide another. Memory grows with the history.

/// I1, total order: any two members deliver prefixes of one sequence; sequences and time stamps
/// only grow, and are the same everywhere.
class TotalOrder {
 public:
  explicit TotalOrder(std::uint32_t members) : next_(members) {}
  Violation delivered(const Delivered& event);

 private:
  std::vector<Place> order_;       ///< what the fastest member delivered
  std::vector<std::size_t> next_;  ///< by member: how far it is in `order_`
};

/// I3, uniformity: what any member delivered, even one that then crashed, no survivor can miss. So
/// at every delivery every member must hold the message.
class Uniformity {
 public:
  explicit Uniformity(std::uint32_t members) : members_(members) {}
  Violation delivered(const Delivered& event) const;

 private:
  std::uint32_t members_;
};

/// I4, integrity: each message at most once, only if sent, bytes unchanged; per sender in the order
/// sent. Nobody loses one in the middle either: the n-th delivered is the n-th sent.
class Integrity {
 public:
  explicit Integrity(std::uint32_t members)
      : members_(members), sent_(members), next_(std::size_t{members} * members) {}
  Violation published(const Published& event);
  Violation delivered(const Delivered& event);

 private:
  [[nodiscard]] std::string explain(const Delivered& event, std::uint64_t expected) const;

  std::uint32_t members_;
  std::vector<std::vector<Published>> sent_;  ///< by sender
  std::vector<std::uint64_t> next_;  ///< by member × members + sender: the id to be delivered
};

/// I5, validity: what live members published is delivered at every live member, once they had the
/// time for it.
class Validity {
 public:
  explicit Validity(std::uint32_t members)
      : members_(members), published_(members), delivered_(std::size_t{members} * members) {}
  void published(const Published& event);
  void delivered(const Delivered& event);
  void crashed(std::uint32_t member) { crashed_ |= std::uint64_t{1} << member; }

  /// True once everything is delivered everywhere that has to be.
  [[nodiscard]] bool complete() const;

  /// To be asked when the time is up.
  [[nodiscard]] Violation finished(std::uint64_t now_ns) const;

 private:
  struct Progress {
    std::uint64_t count = 0;
    std::uint64_t last_ns = 0;
  };
  [[nodiscard]] bool misses(std::uint32_t member, std::uint32_t sender) const;
  [[nodiscard]] bool lives(std::uint32_t member) const { return (crashed_ >> member & 1U) == 0; }
  std::uint32_t members_;
  std::uint64_t crashed_ = 0;
  std::vector<Progress> published_;  ///< by sender
  std::vector<Progress> delivered_;  ///< by member × members + sender
};

}  // namespace lockstep::sim
