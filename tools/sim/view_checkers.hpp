#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "tools/sim/history.hpp"

namespace lockstep::sim {

/// The invariants of DESIGN §9 over a group whose views change, as a reader of histories: what was
/// published, what was delivered in which view, which views were installed. Knows nothing of how
/// any of that is made. Members go by the rank they had in the first view.
class ViewInvariants {
 public:
  explicit ViewInvariants(std::uint32_t members);

  void published(const Published& event);
  void delivered(const Delivered& event);
  /// `members` in rank order; a member's first view is told like any other.
  void installed(std::uint32_t member, std::uint64_t view,
                 const std::vector<std::uint32_t>& members, std::uint64_t at_ns);
  void evicted(std::uint32_t member);
  void crashed(std::uint32_t member) { gone_ |= std::uint64_t{1} << member; }
  /// The link between two members is down for good.
  void broken(std::uint32_t one, std::uint32_t other);
  /// It asked to go: then a view may be left by more than a minority.
  void leaves(std::uint32_t member) { leaving_ |= std::uint64_t{1} << member; }

  /// True when the members of the newest view, as far as they live, are in it and have delivered
  /// all that they published.
  [[nodiscard]] bool settled() const;
  /// Whether settling can be asked for: in each view that somebody who belongs to the newest one
  /// is in, enough members live, and reach each other, to agree on the next.
  [[nodiscard]] bool can_settle() const;
  /// I5 and I8, to be asked when the time is up.
  void time_is_up(std::uint64_t now_ns);

  /// Members of the newest view.
  [[nodiscard]] const std::vector<std::uint32_t>& newest_members() const;
  [[nodiscard]] bool lives(std::uint32_t member) const { return (gone_ >> member & 1U) == 0; }

  void note(const std::string& what) {
    if (!violation_) violation_ = what;
  }
  [[nodiscard]] const Violation& violation() const { return violation_; }

 private:
  struct ViewHistory {
    std::vector<std::uint32_t> members;
    std::vector<Place> order;                        ///< what the fastest member delivered
    std::map<std::uint32_t, std::size_t> delivered;  ///< by member: how much of it
    std::optional<std::size_t> final;  ///< how much who installed the next view had delivered
    std::uint32_t final_by = 0;
  };

  std::uint32_t members_;
  std::map<std::uint64_t, ViewHistory> views_;
  std::vector<std::uint64_t> view_of_;            ///< by member; 0: none yet
  std::vector<std::vector<Published>> sent_;      ///< by sender
  std::vector<std::vector<std::uint64_t>> next_;  ///< by member, sender: the id due
  std::vector<std::uint64_t> last_sequence_;      ///< by member, plus one
  std::vector<std::uint64_t> last_timestamp_ns_;  ///< by member
  [[nodiscard]] bool can_agree(const std::vector<std::uint32_t>& members) const;

  std::vector<std::uint64_t> broken_;  ///< by member: to whom
  std::uint64_t gone_ = 0;             ///< crashed or evicted
  std::uint64_t leaving_ = 0;
  Violation violation_;
};

}  // namespace lockstep::sim
