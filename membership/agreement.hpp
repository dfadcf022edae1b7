#pragma once

#include <array>
#include <cstdint>

#include "membership/admissions.hpp"
#include "membership/attempt.hpp"
#include "membership/donors.hpp"
#include "membership/kept_set.hpp"
#include "membership/proposal.hpp"
#include "membership/table.hpp"
#include "ordering/variant.hpp"
#include "ordering/view_order.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {

/// How the members of one view agree on what follows it: single-decree Paxos with the table as its
/// registers (DESIGN §6; Lamport, The Part-Time Parliament, ACM TOCS 16(2), 1998). One object per
/// view; what it decides is the next view. model/agreement.pml and progress.pml have the same
/// steps; joins.pml and admission.pml have joiners, two views in a row.
///
/// Sans-I/O: it reads the table, writes this member's row of it, and is told the time and whom this
/// member cannot reach. Numbers in comments are the steps of DESIGN §6.
class Agreement {
 public:
  struct Options {
    /// How long an attempt may wait for a promise, a proposal or an acceptance in its first round;
    /// doubles from round to round.
    std::uint64_t patience_ns = 10'000'000;
    /// How long it may lead to nothing that somebody is left out whom this member hears.
    std::uint64_t doubt_ns = 1'000'000;
  };

  Agreement(Table& table, ordering::ViewOrder& order, const Admissions& admissions,
            const Donors& donors, const Options& options);

  /// Reads the table, and does what is due. `unreachable`: whom this member does not hear, a bit
  /// each. While `in_flux`, what members say of each other is known to be out of date: it then
  /// opens and proposes nothing, and no deadline of its own passes. True when the view is decided.
  bool step(std::uint64_t now_ns, std::uint64_t unreachable, bool in_flux = false) noexcept;

  /// When `step` is due again though nothing in the table moved.
  [[nodiscard]] std::uint64_t deadline_ns() const noexcept { return deadline_ns_; }

  [[nodiscard]] bool decided() const noexcept { return decided_; }
  /// Once decided: how the view ends.
  [[nodiscard]] const Proposal& value() const noexcept { return table_.mine().value; }
  [[nodiscard]] bool kept(std::uint32_t rank) const noexcept {
    return (value().kept >> rank & 1U) != 0;
  }

  /// The members this member expects to go on with, and whether they are enough to.
  [[nodiscard]] std::uint64_t kept_set() const noexcept { return kept_; }
  [[nodiscard]] bool has_quorum() const noexcept;

 private:
  /// What the deadline runs for.
  enum class Phase : std::uint8_t { nothing, attempt, promises, proposal, acceptances };

  bool learn() noexcept;
  bool learn_from(std::uint32_t rank, std::uint64_t number) noexcept;
  void promise(std::uint64_t number) noexcept;
  void accept_proposals() noexcept;
  void keep(std::uint64_t unreachable) noexcept;
  void give_time(std::uint64_t now_ns) noexcept;
  void doubt(std::uint64_t now_ns, std::uint64_t unreachable) noexcept;
  void open() noexcept;
  void propose() noexcept;
  bool adopt(Proposal& value) const noexcept;
  void compose(Proposal& value) const noexcept;
  void name_who_joins(Proposal& value) const noexcept;
  void wait(std::uint64_t now_ns, bool in_flux) noexcept;
  void forgive_who_moved() noexcept;

  [[nodiscard]] bool can_go_on() const noexcept;
  [[nodiscard]] bool change_is_due() const noexcept;
  [[nodiscard]] std::uint64_t who_leaves() const noexcept;
  [[nodiscard]] std::uint64_t who_has_the_state() const noexcept;
  [[nodiscard]] bool need_a_cut() const noexcept;
  [[nodiscard]] bool a_link_was_mended() const noexcept;
  [[nodiscard]] Joiner who_joins() const noexcept;
  [[nodiscard]] bool may_open(std::uint64_t now_ns) const noexcept;
  [[nodiscard]] bool may_propose() const noexcept;
  [[nodiscard]] std::uint64_t who_promised(std::uint64_t number) const noexcept;
  [[nodiscard]] std::uint64_t who_accepted(std::uint64_t number) const noexcept;
  [[nodiscard]] Phase phase(std::uint64_t& awaited) const noexcept;
  [[nodiscard]] std::uint64_t movement(std::uint32_t rank) const noexcept;
  [[nodiscard]] std::uint64_t patience_ns(std::uint64_t number) const noexcept;

  Table& table_;
  ordering::ViewOrder& order_;
  const Admissions& admissions_;
  const Donors& donors_;
  const Options options_;
  bool decided_ = false;
  std::uint64_t kept_ = 0;
  std::uint64_t highest_ = 0;         ///< attempt, in any row
  std::uint64_t opened_ = 0;          ///< the last attempt of this member's own
  std::uint64_t given_ = 0;           ///< the attempt that has time…
  std::uint64_t given_until_ns_ = 0;  ///< …until then, before who was outbid outbids it
  bool in_doubt_ = false;
  std::uint64_t doubted_ns_ = 0;  ///< since when, or 0
  std::uint64_t deadline_ns_ = ~std::uint64_t{0};
  Phase phase_ = Phase::nothing;     ///< what the deadline runs for…
  std::uint64_t phase_number_ = 0;   ///< …in which attempt…
  std::uint32_t phase_arbiter_ = 0;  ///< …under whom
  bool excused_ = false;             ///< the deadline was given twice, after an own delay
  std::uint64_t missed_ = 0;         ///< ranks that let a deadline pass and have not moved since
  std::array<std::uint64_t, kMostMembers> movement_{};  ///< when they missed it
};

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
