#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "tools/sim/history.hpp"

namespace lockstep::sim {

/// The hash of a state that one more message went into.
inline std::uint64_t link_chain(std::uint64_t chain, std::uint32_t sender, std::uint64_t hash) {
  return (std::rotl(chain, 7) ^ hash ^ sender) * 0x9e3779b97f4a7c15U;
}

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
  /// It is there, and wants to join.
  void comes(std::uint32_t member) { waiting_ |= std::uint64_t{1} << member; }
  /// A joiner has a state, in which all messages went that it delivered: `chain` is the hash of all
  /// that it is made of, message by message (`link_chain`).
  void loaded(std::uint32_t member, std::uint64_t chain);

  /// Who gives the state to whom in a view, as a member sees it: (to, from, cut) each.
  using Donations = std::vector<std::array<std::uint64_t, 3>>;
  void gives(std::uint32_t member, std::uint64_t view, const Donations& donations);

  /// The link between two members is down for good.
  void broken(std::uint32_t one, std::uint32_t other);
  [[nodiscard]] bool is_broken(std::uint32_t one, std::uint32_t other) const {
    return (broken_[one] >> other & 1U) != 0;
  }
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
    std::vector<std::uint64_t> first_due{};  ///< by sender: the id due when it begins
    std::uint64_t first_chain = 0;           ///< of all messages before it
    std::optional<Donations> donations{};    ///< as who first installed it sees them
  };

  std::uint32_t members_;
  std::map<std::uint64_t, ViewHistory> views_;
  std::vector<std::uint64_t> view_of_;            ///< by member; 0: none yet
  std::vector<std::vector<Published>> sent_;      ///< by sender
  std::vector<std::vector<std::uint64_t>> next_;  ///< by member, sender: the id due
  std::vector<std::uint64_t> last_sequence_;      ///< by member, plus one
  std::vector<std::uint64_t> last_timestamp_ns_;  ///< by member
  [[nodiscard]] bool has_state(std::uint32_t member) const {
    return (stateless_ >> member & 1U) == 0;
  }
  /// Somebody has the state; and somebody is taken in only when those who have it are a quorum with
  /// him.
  void expect_state_to_last(std::uint64_t view, const std::vector<std::uint32_t>& members,
                            bool takes_in);
  /// Of all that a member had delivered up to where it is, or ended, in a view.
  [[nodiscard]] std::uint64_t chain_of(std::uint32_t member, std::uint64_t view) const;
  /// Waits, though nothing keeps it from joining.
  [[nodiscard]] bool waits_in_vain(std::uint32_t member) const;
  [[nodiscard]] bool can_agree(const std::vector<std::uint32_t>& members) const;

  std::vector<std::uint64_t> broken_;  ///< by member: to whom
  std::uint64_t gone_ = 0;             ///< crashed or evicted
  std::uint64_t leaving_ = 0;
  std::uint64_t waiting_ = 0;    ///< to join
  std::uint64_t stateless_ = 0;  ///< joined, and not loaded yet
  Violation violation_;
};

}  // namespace lockstep::sim
