#include "tools/sim/view_checkers.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

namespace lockstep::sim {

ViewInvariants::ViewInvariants(std::uint32_t members)
    : members_(members),
      view_of_(members),
      sent_(members),
      next_(members, std::vector<std::uint64_t>(members)),
      last_sequence_(members),
      last_timestamp_ns_(members),
      broken_(members) {}

void ViewInvariants::published(const Published& event) { sent_[event.member].push_back(event); }

void ViewInvariants::delivered(const Delivered& event) {
  ViewHistory& view = views_[view_of_[event.member]];
  std::size_t& place = view.delivered[event.member];
  if (!lives(event.member)) {
    note(fmt::format("I6 one primary: member {} delivered sequence {} after it was evicted",
                     event.member, event.sequence));
  }
  if (event.sender >= members_) {
    note(fmt::format("I4 integrity: member {} delivered a message of sender {}", event.member,
                     event.sender));
    return;
  }
  if (event.sequence < last_sequence_[event.member]) {
    note(fmt::format("I1 total order: member {} delivered sequence {} after {}", event.member,
                     event.sequence, last_sequence_[event.member] - 1));
  }
  last_sequence_[event.member] = event.sequence + 1;
  if (event.timestamp_ns < last_timestamp_ns_[event.member]) {
    note(
        fmt::format("I1 total order: member {} delivered sequence {} with an earlier time than the "
                    "message before it",
                    event.member, event.sequence));
  }
  last_timestamp_ns_[event.member] = event.timestamp_ns;
  if (place == view.order.size()) {
    view.order.push_back(
        {event.sequence, event.sender, event.hash, event.timestamp_ns, event.member});
  } else {
    const Place& first = view.order[place];
    const bool same = first.sequence == event.sequence && first.sender == event.sender &&
                      first.hash == event.hash && first.timestamp_ns == event.timestamp_ns;
    if (!same) {
      note(
          fmt::format("I1 total order: in view {} member {} delivered sequence {} of {} as number "
                      "{}, where member {} delivered sequence {} of {}",
                      view_of_[event.member], event.member, event.sequence, event.sender, place,
                      first.first_member, first.sequence, first.sender));
    }
  }
  ++place;
  if (view.final && place > *view.final) {
    note(
        fmt::format("I3 uniformity: in view {} member {} delivered {} messages, and member {} "
                    "went on to the next view with {}",
                    view_of_[event.member], event.member, place, view.final_by, *view.final));
  }
  // I4: each message of a sender once, in the order sent, unchanged.
  std::uint64_t& due = next_[event.member][event.sender];
  const std::vector<Published>& sent = sent_[event.sender];
  const bool is_due =
      due < sent.size() && sent[due].hash == event.hash && sent[due].bytes == event.bytes;
  if (!is_due) {
    note(
        fmt::format("I4 integrity: member {} delivered sequence {} of {}, which is not its message "
                    "{} ({} sent)",
                    event.member, event.sequence, event.sender, due, sent.size()));
  }
  if (event.token && *event.token != due) {
    note(fmt::format("I4 integrity: member {} got back token {} with its message {}", event.member,
                     *event.token, due));
  }
  ++due;
}

void ViewInvariants::installed(std::uint32_t member, std::uint64_t view,
                               const std::vector<std::uint32_t>& members, std::uint64_t at_ns) {
  const std::uint64_t before = view_of_[member];
  if (view <= before) {
    note(fmt::format("I6 one primary: member {} installed view {} after view {}", member, view,
                     before));
  }
  view_of_[member] = view;
  waiting_ &= ~(std::uint64_t{1} << member);
  auto [found, is_new] = views_.try_emplace(view);
  ViewHistory& history = found->second;
  if (is_new) {
    history.members = members;
    history.first_due = next_[member];
    if (before != 0) history.first_chain = chain_of(member, before);
  }
  if (history.members != members) {
    note(fmt::format("I6 one primary: view {} has members {} at member {}, and {} elsewhere", view,
                     members, member, history.members));
  }
  if (std::ranges::find(members, member) == members.end()) {
    note(fmt::format("I6 one primary: member {} installed view {} of {}, without itself", member,
                     view, members));
  }
  if (before == 0) {
    if (is_new && view != 1) {
      note(fmt::format("I6 one primary: member {} joined with view {}, which nobody had installed",
                       member, view));
    }
    // It begins with the state that the others have then.
    next_[member] = history.first_due;
    if (!is_new && view != 1) stateless_ |= std::uint64_t{1} << member;
    return;
  }
  ViewHistory& ended = views_[before];
  const auto is_old = [&](std::uint32_t one) {
    return std::ranges::find(ended.members, one) != ended.members.end();
  };
  const auto kept = static_cast<std::size_t>(std::ranges::count_if(members, is_old));
  if (is_new) expect_state_to_last(view, members, kept < members.size());
  const bool half = 2 * kept == ended.members.size() && members.front() == ended.members.front();
  if (leaving_ == 0 && 2 * kept <= ended.members.size() && !half) {
    note(fmt::format("I6 one primary: view {} of {} is no quorum of view {} of {}", view, members,
                     before, ended.members));
  }
  const std::size_t count = ended.delivered[member];
  if (!ended.final) {
    ended.final = count;
    ended.final_by = member;
    if (ended.order.size() > count) {
      note(fmt::format(
          "I3 uniformity: member {} left view {} at {} ns with {} messages delivered, "
          "and member {} had delivered {}",
          member, before, at_ns, count, ended.order[count].first_member, ended.order.size()));
    }
  } else if (*ended.final != count) {
    note(
        fmt::format("I2 agreement: member {} left view {} with {} messages delivered, member {} "
                    "with {}",
                    member, before, count, ended.final_by, *ended.final));
  }
}

void ViewInvariants::expect_state_to_last(std::uint64_t view,
                                          const std::vector<std::uint32_t>& members,
                                          bool takes_in) {
  std::vector<std::uint32_t> with_state;
  std::ranges::copy_if(members, std::back_inserter(with_state),
                       [&](std::uint32_t one) { return view_of_[one] != 0 && has_state(one); });
  if (with_state.empty()) {
    note(fmt::format("I7 state: nobody in view {} of {} has the state", view, members));
    return;
  }
  const bool half = 2 * with_state.size() == members.size() && with_state[0] == members[0];
  if (!takes_in || half || 2 * with_state.size() > members.size()) return;
  note(
      fmt::format("I7 state: view {} of {} takes somebody in, and those who have the state, {}, "
                  "are no quorum of it",
                  view, members, with_state));
}

std::uint64_t ViewInvariants::chain_of(std::uint32_t member, std::uint64_t view) const {
  const ViewHistory& history = views_.at(view);
  const auto found = history.delivered.find(member);
  const std::size_t count = found == history.delivered.end() ? 0 : found->second;
  std::uint64_t chain = history.first_chain;
  for (std::size_t i = 0; i < std::min(count, history.order.size()); ++i) {
    chain = link_chain(chain, history.order[i].sender, history.order[i].hash);
  }
  return chain;
}

void ViewInvariants::loaded(std::uint32_t member, std::uint64_t chain) {
  stateless_ &= ~(std::uint64_t{1} << member);
  if (chain == chain_of(member, view_of_[member])) return;
  note(fmt::format("I7 state: the state of member {}, in view {}, is not that of the others there",
                   member, view_of_[member]));
}

void ViewInvariants::gives(std::uint32_t member, std::uint64_t view, const Donations& donations) {
  for (std::size_t i = 0; i < donations.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (donations[i][1] != donations[j][1]) continue;
      note(
          fmt::format("I7 state: in view {}, member {} gives two states at a time, of views {} and "
                      "{}, to members {} and {}",
                      view, donations[i][1], donations[i][2], donations[j][2], donations[i][0],
                      donations[j][0]));
    }
  }
  std::optional<Donations>& agreed = views_.at(view).donations;
  if (!agreed) agreed = donations;
  if (*agreed == donations) return;
  note(
      fmt::format("I7 state: in view {}, the state is given as {} (to, from, cut), says member {}, "
                  "and as {}, say others",
                  view, donations, member, *agreed));
}

bool ViewInvariants::waits_in_vain(std::uint32_t member) const {
  if ((waiting_ >> member & 1U) == 0 || !lives(member)) return false;
  const std::vector<std::uint32_t>& members = newest_members();
  // Named once, and left out again before it began: it would have to come anew.
  const bool was_named = std::ranges::any_of(views_, [&](const auto& view) {
    return std::ranges::find(view.second.members, member) != view.second.members.end();
  });
  if (was_named && std::ranges::find(members, member) == members.end()) return false;
  return std::ranges::none_of(
      members, [&](std::uint32_t other) { return (broken_[member] >> other & 1U) != 0; });
}

void ViewInvariants::evicted(std::uint32_t member) { gone_ |= std::uint64_t{1} << member; }

const std::vector<std::uint32_t>& ViewInvariants::newest_members() const {
  return views_.rbegin()->second.members;
}

bool ViewInvariants::settled() const {
  const auto& [view, history] = *views_.rbegin();
  for (const std::uint32_t member : history.members) {
    if (!lives(member)) return false;
    if (view_of_[member] != view || !has_state(member)) return false;
    for (const std::uint32_t sender : history.members) {
      if (next_[member][sender] != sent_[sender].size()) return false;
    }
  }
  for (std::uint32_t member = 0; member < members_; ++member) {
    if (waits_in_vain(member)) return false;
  }
  return true;
}

void ViewInvariants::broken(std::uint32_t one, std::uint32_t other) {
  broken_[one] |= std::uint64_t{1} << other;
  broken_[other] |= std::uint64_t{1} << one;
}

// Of all sets of them, tried one by one: a few members are enough to find mistakes.
bool ViewInvariants::can_agree(const std::vector<std::uint32_t>& members) const {
  for (std::uint64_t set = 1; set < std::uint64_t{1} << members.size(); ++set) {
    std::size_t count = 0;
    bool connected = true;
    std::uint64_t chosen = 0;
    bool with_state = false;
    for (std::size_t rank = 0; rank < members.size(); ++rank) {
      if ((set >> rank & 1U) == 0) continue;
      connected = connected && lives(members[rank]) && (broken_[members[rank]] & chosen) == 0;
      chosen |= std::uint64_t{1} << members[rank];
      with_state = with_state || (view_of_[members[rank]] != 0 && has_state(members[rank]));
      ++count;
    }
    const bool half = 2 * count == members.size() && (set & 1U) != 0;
    if (connected && with_state && (2 * count > members.size() || half)) return true;
  }
  return false;
}

bool ViewInvariants::can_settle() const {
  const std::vector<std::uint32_t>& newest = newest_members();
  const bool any = std::ranges::any_of(newest, [&](std::uint32_t one) {
    return lives(one) && has_state(one) && view_of_[one] != 0;
  });
  return any && std::ranges::all_of(newest, [&](std::uint32_t member) {
           const bool begun = lives(member) && view_of_[member] != 0;
           return !begun || can_agree(views_.at(view_of_[member]).members);
         });
}

void ViewInvariants::time_is_up(std::uint64_t now_ns) {
  const auto& [view, history] = *views_.rbegin();
  for (const std::uint32_t member : history.members) {
    if (!lives(member)) {
      note(fmt::format("I8 liveness: at {} ns member {}, which is gone, is still in view {} of {}",
                       now_ns, member, view, history.members));
      return;
    }
    if (view_of_[member] != view) {
      note(fmt::format("I8 liveness: at {} ns member {} is in view {} and not in {} of {}", now_ns,
                       member, view_of_[member], view, history.members));
      return;
    }
    if (!has_state(member)) {
      note(fmt::format("I8 liveness: at {} ns member {}, in view {}, still lacks the state", now_ns,
                       member, view));
      return;
    }
    for (const std::uint32_t sender : history.members) {
      if (next_[member][sender] == sent_[sender].size()) continue;
      note(
          fmt::format("I5 validity: at {} ns, in view {} of {}, member {} has delivered {} of the "
                      "{} messages of {}",
                      now_ns, view, history.members, member, next_[member][sender],
                      sent_[sender].size(), sender));
      return;
    }
  }
  for (std::uint32_t member = 0; member < members_; ++member) {
    if (!waits_in_vain(member)) continue;
    note(fmt::format("I8 liveness: at {} ns member {} still waits to join view {} of {}", now_ns,
                     member, view, history.members));
  }
}

}  // namespace lockstep::sim
