#include "membership/agreement.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "membership/mutant.hpp"
#include "runtime/assert.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {
namespace {

constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint32_t kMostDoublings = 10;

constexpr std::uint64_t bit(std::uint32_t rank) { return std::uint64_t{1} << rank; }

std::uint32_t lowest(std::uint64_t ranks) {
  return static_cast<std::uint32_t>(std::countr_zero(ranks));
}

std::uint32_t opener_of(std::uint64_t number) { return Attempt::of(number).rank; }

}  // namespace

Agreement::Agreement(Table& table, ordering::ViewOrder& order, const Admissions& admissions,
                     const Donors& donors, const Options& options)
    : table_(table), order_(order), admissions_(admissions), donors_(donors), options_(options) {
  kept_ = table.members() >= kMostMembers ? ~std::uint64_t{0} : bit(table.members()) - 1;
}

bool Agreement::step(std::uint64_t now_ns, std::uint64_t unreachable, bool in_flux) noexcept {
  if (decided_ || learn()) return true;
  forgive_who_moved();
  highest_ = 0;
  for (std::uint32_t rank = 0; rank < table_.members(); ++rank) {
    highest_ = std::max(highest_, table_.promised(rank));
  }
  if (highest_ > table_.mine().promised) promise(highest_);  // 3
  accept_proposals();                                        // 5
  keep(unreachable);                                         // 2
  give_time(now_ns);                                         // 2
  doubt(now_ns, unreachable);                                // 2
  const bool leads = !in_flux && !in_doubt_;
  if (leads && may_open(now_ns)) open();  // 2
  if (leads && may_propose()) propose();  // 4
  wait(now_ns, in_flux);
  return learn();
}

// ---- 5: what is decided ------------------------------------------------------------------------

bool Agreement::learn() noexcept {
  for (std::uint32_t rank = 0; rank < table_.members(); ++rank) {
    const std::uint64_t decided = mutant(Mutant::no_decided) ? 0 : table_.decided(rank);
    if (decided != 0 && learn_from(rank, decided)) return true;
    const std::uint64_t accepted = table_.accepted(rank);
    if (accepted == 0) continue;
    const std::uint64_t acceptors = who_accepted(accepted);
    const bool enough = mutant(Mutant::no_quorum) ? (acceptors & kept_) == kept_
                                                  : is_quorum(acceptors, table_.members());
    if (enough && learn_from(rank, accepted)) return true;
  }
  return false;
}

bool Agreement::learn_from(std::uint32_t rank, std::uint64_t number) noexcept {
  // Whatever was accepted under a higher number is the same value.
  if (table_.mine().accepted < number) {
    Proposal value;
    if (!table_.read_value(rank, number, value)) return false;
    table_.accept(value);
  }
  table_.decide();
  decided_ = true;
  deadline_ns_ = kNever;
  return true;
}

// ---- 3 and 5: following ------------------------------------------------------------------------

void Agreement::promise(std::uint64_t number) noexcept {
  if (!table_.wedged(table_.my_rank())) {
    if (!mutant(Mutant::no_wedge)) order_.wedge();
    table_.wedge(order_);
  }
  table_.promise(number);
  highest_ = std::max(highest_, number);
}

void Agreement::accept_proposals() noexcept {
  for (std::uint32_t rank = 0; rank < table_.members(); ++rank) {
    const std::uint64_t number = table_.accepted(rank);
    if (number == 0 || opener_of(number) != rank || number <= table_.mine().accepted) continue;
    if (number < table_.mine().promised && !mutant(Mutant::accept_below_promise)) continue;
    Proposal value;
    if (!table_.read_value(rank, number, value)) continue;
    if (number > table_.mine().promised) promise(number);
    table_.accept(value);
  }
}

// ---- 2: who goes on ----------------------------------------------------------------------------

void Agreement::keep(std::uint64_t unreachable) noexcept {
  std::array<std::uint64_t, kMostMembers> reports{};
  for (std::uint32_t rank = 0; rank < table_.members(); ++rank) {
    reports[rank] = table_.unreachable(rank);
  }
  const std::span<const std::uint64_t> all(reports.data(), table_.members());
  reports[table_.my_rank()] = unreachable | missed_;
  kept_ = membership::kept_set(all);
  if (mutant(Mutant::keep_by_own_reports)) {
    for (std::uint32_t rank = 0; rank < table_.members(); ++rank) {
      if (rank != table_.my_rank()) reports[rank] = 0;
    }
    kept_ = membership::kept_set(all);
  }
  const bool forgives = !mutant(Mutant::sticky_unreachable);
  if (missed_ != 0 && forgives && !has_quorum()) {
    // A mark is there to get past somebody who hangs. Where this member cannot go on without him,
    // it serves nobody, and he may be waiting for us. (Found by model/progress.pml: two members
    // that do not hear each other, and both mark the one they hear, wait for ever if their marks
    // stay.)
    missed_ = 0;
    reports[table_.my_rank()] = unreachable;
    kept_ = membership::kept_set(all);
  }
  if (mutant(Mutant::keep_everybody)) {
    kept_ = table_.members() >= kMostMembers ? ~std::uint64_t{0} : bit(table_.members()) - 1;
  }
  table_.show_unreachable(unreachable | missed_);
}

bool Agreement::has_quorum() const noexcept {
  if (mutant(Mutant::leaver_does_not_vote)) {
    return (kept_ & bit(table_.my_rank())) != 0 &&
           is_quorum(kept_ & ~who_leaves(), table_.members());
  }
  return (kept_ & bit(table_.my_rank())) != 0 && can_go_on();
}

// A quorum of joiners, from which all who had the state were left out one by one, would go on
// without it, though these may live. (Found by model/state.pml.)
bool Agreement::can_go_on() const noexcept {
  const bool with_state =
      (kept_ & who_has_the_state()) != 0 || mutant(Mutant::goes_on_without_the_state);
  return with_state && is_quorum(kept_, table_.members());
}

std::uint64_t Agreement::who_has_the_state() const noexcept {
  std::uint64_t ranks = 0;
  for (std::uint32_t rank = 0; rank < table_.members(); ++rank) {
    if (table_.has_state(rank)) ranks |= bit(rank);
  }
  return ranks;
}

bool Agreement::change_is_due() const noexcept {
  const bool all_there = std::popcount(kept_) == static_cast<int>(table_.members());
  return !all_there || highest_ != 0 || who_leaves() != 0 || who_joins().named != 0 ||
         need_a_cut() || a_link_was_mended();
}

// Frames wait for the next view: so a link that broke always ends in one.
bool Agreement::a_link_was_mended() const noexcept {
  for (std::uint64_t rest = mutant(Mutant::mending_ends_there) ? 0 : kept_; rest != 0;
       rest &= rest - 1) {
    if (table_.mended(lowest(rest))) return true;
  }
  return false;
}

// Somebody waits for a donor, and there is one: the state is given at the beginning of a view.
bool Agreement::need_a_cut() const noexcept {
  if (donors_.waiting() == 0 || mutant(Mutant::no_cut_for_who_waits)) return false;
  return donors_.need_a_cut(order_.layout(), kept_ & ~who_leaves(), who_has_the_state());
}

// The first to whom everybody that goes on has a link; and only if those who have the state are a
// quorum with it: so joiners may all die and cost no quorum. (model/state.pml)
Joiner Agreement::who_joins() const noexcept {
  std::uint64_t links = admissions_.links();
  if (links == 0) return {};
  std::uint64_t with_state = 0;
  std::uint32_t next_rank = 0;
  for (std::uint64_t rest = kept_ & ~who_leaves(); rest != 0; rest &= rest - 1) {
    const std::uint32_t rank = lowest(rest);
    const bool asked = rank != table_.my_rank() && !mutant(Mutant::unknown_joiner);
    if (asked) links &= table_.joinable(rank);
    if (table_.has_state(rank)) with_state |= bit(next_rank);
    ++next_rank;
  }
  const bool full = next_rank == kMostMembers;
  const bool lasts = full || is_quorum(with_state, next_rank + 1) || mutant(Mutant::any_joiners);
  if (links == 0 || full || !lasts) return {};
  const transports::LinkId link = lowest(links);
  return {.named = 1,
          .link = link,
          .nonce = admissions_.nonce(link),
          .sends = admissions_.sends(link) ? 1U : 0U};
}

// Of those who have the state one stays until somebody else has it; and when all leave, one stays,
// and has nobody left to ask.
std::uint64_t Agreement::who_leaves() const noexcept {
  std::uint64_t ranks = 0;
  for (std::uint32_t rank = 0; rank < table_.members(); ++rank) {
    if (table_.leaves(rank)) ranks |= bit(rank);
  }
  std::uint64_t able = kept_ & who_has_the_state();
  if (able == 0 || mutant(Mutant::leaves_with_the_state)) able = kept_;
  return (able & ~ranks) == 0 ? ranks & ~(able & -able) : ranks;
}

// ---- 2 and 4: leading --------------------------------------------------------------------------

// Somebody is left out whom this member hears: he accuses another, or another accuses him, and one
// of the two has to go. Members notice a death one after another, so who is accused may be dead,
// and his accuser the one to keep: for a moment it waits for what it will notice itself.
void Agreement::doubt(std::uint64_t now_ns, std::uint64_t unreachable) noexcept {
  const std::uint64_t all =
      table_.members() >= kMostMembers ? ~std::uint64_t{0} : bit(table_.members()) - 1;
  const std::uint64_t heard = all & ~kept_ & ~(unreachable | missed_) & ~bit(table_.my_rank());
  if (heard == 0) doubted_ns_ = 0;
  if (heard != 0 && doubted_ns_ == 0) doubted_ns_ = now_ns;
  in_doubt_ = heard != 0 && now_ns - doubted_ns_ < options_.doubt_ns;
}

// The highest attempt has its patience from the moment it is seen.
void Agreement::give_time(std::uint64_t now_ns) noexcept {
  if (given_ == highest_) return;
  given_ = highest_;
  given_until_ns_ = now_ns + patience_ns(highest_);
}

// The arbiter opens, unless a member of K has an attempt under way that is within its deadline: who
// misses his is marked, and in K no longer.
//
// Two who know different reports leave each other out of their K. If each outbid the other at once,
// no attempt would last longer than a round trip, and no deadline would ever pass. So a member
// opens at once only the first time; who was outbid gives the attempt that did it time before it
// opens again. That delays no change by more than members can open first, and one patience that
// doubles: all others, who wait for the arbiter, wait three times as long for it.
bool Agreement::may_open(std::uint64_t now_ns) const noexcept {
  const bool quorum = mutant(Mutant::no_quorum) || can_go_on();
  if (!quorum || lowest(kept_) != table_.my_rank() || !change_is_due()) return false;
  if (highest_ == 0) return true;
  if ((kept_ & bit(opener_of(highest_))) != 0) return false;
  return opened_ == 0 || now_ns >= given_until_ns_ || mutant(Mutant::outbid_at_once);
}

void Agreement::open() noexcept {
  const std::uint32_t round = highest_ == 0 ? 0 : Attempt::of(highest_).round + 1;
  LOCKSTEP_ASSERT(round <= Attempt::kMostRounds);
  opened_ = Attempt{.view = table_.view(), .round = round, .rank = table_.my_rank()}.number();
  promise(opened_);
}

// Whoever opened the highest attempt, when all he goes on with take part in it; once.
bool Agreement::may_propose() const noexcept {
  if (highest_ == 0 || opener_of(highest_) != table_.my_rank()) return false;
  if (table_.mine().accepted >= highest_ && !mutant(Mutant::propose_twice)) return false;
  const std::uint64_t promised = who_promised(highest_);
  if (mutant(Mutant::promise_not_awaited)) return is_quorum(promised, table_.members());
  return (has_quorum() || mutant(Mutant::no_quorum)) && (kept_ & ~promised) == 0;
}

std::uint64_t Agreement::who_promised(std::uint64_t number) const noexcept {
  std::uint64_t ranks = 0;
  for (std::uint32_t rank = 0; rank < table_.members(); ++rank) {
    // In reverse of how they are posted.
    if (table_.promised(rank) == number && table_.wedged(rank)) ranks |= bit(rank);
  }
  return ranks;
}

std::uint64_t Agreement::who_accepted(std::uint64_t number) const noexcept {
  std::uint64_t ranks = 0;
  for (std::uint32_t rank = 0; rank < table_.members(); ++rank) {
    if (table_.accepted(rank) == number) ranks |= bit(rank);
  }
  return ranks;
}

void Agreement::propose() noexcept {
  Proposal value;
  if (!mutant(Mutant::propose_twice) && !adopt(value)) return;
  if (value.kept == 0) compose(value);
  value.number = highest_;
  value.seal();
  table_.accept(value);
}

// False: a value is being overwritten, so a higher attempt is on its way.
bool Agreement::adopt(Proposal& value) const noexcept {
  if (mutant(Mutant::no_adopt)) return true;
  std::uint64_t best = 0;
  std::uint32_t owner = 0;
  for (std::uint32_t rank = 0; rank < table_.members(); ++rank) {
    if ((kept_ & bit(rank)) == 0) continue;
    const std::uint64_t number = table_.accepted(rank);
    if (number <= best) continue;
    best = number;
    owner = rank;
  }
  return best == 0 || table_.read_value(owner, best, value);
}

void Agreement::compose(Proposal& value) const noexcept {
  value.kept = kept_ & ~who_leaves();
  LOCKSTEP_ASSERT(value.kept != 0);
  const ordering::ViewLayout& layout = order_.layout();
  value.streams = layout.senders.size();
  std::uint64_t most = layout.first_index;
  std::uint64_t next_streams = 0;
  for (std::uint32_t stream = 0; stream < value.streams; ++stream) {
    if ((value.kept & bit(layout.senders[stream])) != 0) ++next_streams;
    std::uint64_t& trim = value.trims[stream];
    trim = mutant(Mutant::trim_by_most) ? 0 : kNever;
    for (std::uint32_t rank = 0; rank < table_.members(); ++rank) {
      if ((kept_ & bit(rank)) == 0) continue;
      if (mutant(Mutant::trim_by_own) && rank != table_.my_rank()) continue;
      const std::uint64_t received = table_.received(rank, stream);
      most = std::max(most, received);
      trim = mutant(Mutant::trim_by_most) ? std::max(trim, received) : std::min(trim, received);
    }
  }
  name_who_joins(value);
  next_streams += value.joiner.sends;
  // Above every index, and every sequence, that a kept member has shown.
  next_streams = std::max<std::uint64_t>(next_streams, 1);
  value.first_index = std::max(most, (most + 1) * value.streams / next_streams) + 1;
}

void Agreement::name_who_joins(Proposal& value) const noexcept {
  std::uint32_t next_rank = 0;
  for (std::uint64_t rest = value.kept; rest != 0; rest &= rest - 1, ++next_rank) {
    if (!table_.has_state(lowest(rest))) value.stateless |= bit(next_rank);
  }
  value.joiner = who_joins();
  if (value.joiner.named != 0) value.stateless |= bit(next_rank);
}

// ---- deadlines ---------------------------------------------------------------------------------

Agreement::Phase Agreement::phase(std::uint64_t& awaited) const noexcept {
  const std::uint64_t me = bit(table_.my_rank());
  awaited = 0;
  if (!can_go_on() || !change_is_due()) return Phase::nothing;
  const std::uint64_t opener = highest_ == 0 ? 0 : bit(opener_of(highest_));
  if ((opener & kept_) == 0) {
    awaited = bit(lowest(kept_)) & ~me;
    return Phase::attempt;
  }
  const std::uint64_t acceptors = who_accepted(highest_);
  if ((acceptors & opener) != 0) {
    awaited = kept_ & ~acceptors & ~me;
    return Phase::acceptances;
  }
  awaited = opener == me ? kept_ & ~who_promised(highest_) : opener;
  return opener == me ? Phase::promises : Phase::proposal;
}

void Agreement::wait(std::uint64_t now_ns, bool in_flux) noexcept {
  // In front of what is awaited: a word that moves meanwhile has then moved since.
  std::array<std::uint64_t, kMostMembers> movement{};
  const bool late = now_ns >= deadline_ns_;
  for (std::uint32_t rank = 0; late && rank < table_.members(); ++rank) {
    movement[rank] = this->movement(rank);
  }
  std::uint64_t awaited = 0;
  Phase phase = this->phase(awaited);
  // Else those who came back together would all mark an arbiter who waits for the others' reports.
  if (in_flux) phase = Phase::nothing;
  const std::uint32_t arbiter = lowest(kept_);
  if (phase != phase_ || highest_ != phase_number_ || arbiter != phase_arbiter_) {
    phase_ = phase;
    phase_number_ = highest_;
    phase_arbiter_ = arbiter;
    // Who waits for somebody who waits for others himself gives him their time, too.
    const bool longer = phase == Phase::attempt || phase == Phase::proposal;
    deadline_ns_ = now_ns + patience_ns(highest_) * (longer ? 3 : 1);
    if (phase == Phase::attempt && arbiter == table_.my_rank()) deadline_ns_ = given_until_ns_;
    if (phase == Phase::nothing) deadline_ns_ = kNever;
    excused_ = false;
    return;
  }
  if (!late) return;
  // Who comes this late to his own deadline stood still, or his clock leapt, and perhaps the others
  // stood still with him: they get their time once more, instead of being accused of it.
  if (!excused_ && now_ns - deadline_ns_ > patience_ns(highest_)) {
    excused_ = true;
    deadline_ns_ = now_ns + patience_ns(highest_);
    return;
  }
  for (std::uint64_t rest = awaited; rest != 0; rest &= rest - 1) {
    movement_[lowest(rest)] = movement[lowest(rest)];
  }
  missed_ |= awaited;
  phase_ = Phase::nothing;  // whatever comes now has a deadline of its own
  deadline_ns_ = now_ns;
}

std::uint64_t Agreement::patience_ns(std::uint64_t number) const noexcept {
  return options_.patience_ns << std::min(Attempt::of(number).round, kMostDoublings);
}

std::uint64_t Agreement::movement(std::uint32_t rank) const noexcept {
  // Words that only grow: their sum moves when one of them does.
  return table_.promised(rank) + table_.accepted(rank) + table_.decided(rank) +
         (table_.shows(rank) ? 1 : 0) + (table_.wedged(rank) ? 1 : 0);
}

void Agreement::forgive_who_moved() noexcept {
  if (mutant(Mutant::sticky_unreachable)) return;
  for (std::uint64_t rest = missed_; rest != 0; rest &= rest - 1) {
    const std::uint32_t rank = lowest(rest);
    if (movement(rank) != movement_[rank]) missed_ &= ~bit(rank);
  }
}

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
