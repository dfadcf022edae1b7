#include "membership/views.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "membership/mutant.hpp"
#include "membership/views_epoch.hpp"
#include "ordering/frame.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {
namespace {

constexpr std::uint64_t bit(std::uint32_t number) { return std::uint64_t{1} << number; }

}  // namespace

Views::Views(transports::Transport& transport, const ordering::ViewLayout& layout,
             std::uint64_t view, MessageHandler& handler, ViewEvents& events,
             const ViewsOptions& options)
    : transport_(transport),
      handler_(&handler),
      events_(events),
      options_(options),
      has_state_(options.has_state),
      donors_(options.donors),
      current_(std::make_unique<Epoch>(transport, layout, view, admissions_, donors_, options)) {
  if (has_state_) current_->table.show_state();
}

Views::~Views() = default;

ordering::ViewOrder& Views::order() noexcept { return current_->order; }

std::uint64_t Views::view() const noexcept { return current_->view; }

const TableRow& Views::row() const noexcept { return current_->table.mine(); }

bool Views::takes_messages() const noexcept {
  const bool sent_again = unsent_.empty() || mutant(Mutant::new_before_resend);
  return !evicted_ && !ring_busy_ && sent_again && had_quorum_ && !current_->order.wedged();
}

bool Views::step(std::uint64_t now_ns) {
  if (evicted_) [[unlikely]] {
    // Links still carry how the view ended, for whoever does not know yet.
    bool told = poll_links();
    told |= push_tables();
    return events_.control_step(now_ns) || told;
  }
  ordering::ViewOrder& order = current_->order;
  order.set_wall_ns(now_ns + options_.wall_offset_ns);
  bool busy = poll_links();              // link events in (bytes come in by themselves: one-sided)
  busy |= order.receive();               // sweep the rings, advance my received counters
  busy |= order.deliver(*handler_);      // hand the stable prefix to the application
  busy |= order.send(busy);              // push frames and changed counters, by what is there
  busy |= change(now_ns);                // beats, observation, agreement, installation
  busy |= events_.control_step(now_ns);  // mailboxes, counters: bounded
  return busy;
}

// ---- membership --------------------------------------------------------------------------------

bool Views::change(std::uint64_t now_ns) noexcept {
  if (now_ns < due_ns_ && current_->order.tables() == tables_seen_) [[likely]] {
    return false;
  }
  tables_seen_ = current_->order.tables();
  current_->observation.step(now_ns);
  tell_who_fell_silent();
  current_->table.show_joinable(admissions_.links());
  const bool in_flux = current_->observation.in_flux(now_ns);
  const bool decided = current_->agreement.step(now_ns, unreachable(), in_flux);
  bool busy = push_tables();
  tell_whether_there_is_a_quorum(now_ns);
  if (decided) {
    finish();
    // Whom the others went on without may read so until then.
    farewell_ns_ = now_ns + options_.observation.silence_timeout_ns;
    busy = true;
  }
  send_again();
  tell_whether_messages_are_taken();
  if (previous_ && (now_ns >= farewell_ns_ || nobody_to_tell())) {
    farewell_ns_ = now_ns + options_.observation.silence_timeout_ns;
    if (all_show()) drop_evicted();
  }
  const bool owes = current_->table.owes_posts() || (previous_ && previous_->table.owes_posts());
  due_ns_ = ring_busy_ || !unsent_.empty() || owes ? 0 : change_due_ns();
  return busy;
}

void Views::tell_who_fell_silent() noexcept {
  const std::uint64_t silent = current_->observation.silent();
  const std::uint64_t newly = silent & ~silent_;
  silent_ = silent;
  for (std::uint32_t rank = 0; rank < current_->table.members(); ++rank) {
    if ((newly & bit(rank)) != 0) events_.link_silent(current_->order.layout().link_of(rank));
  }
}

// Members notice a death one after another: who noticed first is alone with it for a moment.
void Views::tell_whether_there_is_a_quorum(std::uint64_t now_ns) noexcept {
  const bool has_quorum = current_->agreement.has_quorum();
  if (has_quorum || quorum_seen_ns_ == 0) quorum_seen_ns_ = now_ns;
  const bool lasts = now_ns - quorum_seen_ns_ >= options_.observation.heartbeat_interval_ns;
  if (!has_quorum && !lasts) return;
  tell_quorum(has_quorum);
}

void Views::tell_quorum(bool has_quorum) noexcept {
  if (has_quorum == had_quorum_) return;
  had_quorum_ = has_quorum;
  tell_whether_messages_are_taken();
  events_.quorum_changed(had_quorum_);
}

void Views::tell_whether_messages_are_taken() noexcept {
  if (takes_messages() == taking_messages_) return;
  taking_messages_ = !taking_messages_;
  events_.takes_messages_changed(taking_messages_);
}

bool Views::push_tables() noexcept {
  bool pushed = false;
  for (Epoch* epoch : {current_.get(), previous_.get()}) {
    if (epoch == nullptr || !epoch->table.push(epoch->order)) continue;
    epoch->order.point_at_table();
    pushed = true;
  }
  return pushed;
}

std::uint64_t Views::unreachable() const noexcept {
  const ordering::ViewLayout& layout = current_->order.layout();
  std::uint64_t ranks = current_->observation.silent();
  for (std::uint32_t rank = 0; rank < layout.members; ++rank) {
    const bool down = ((links_down_ | reported_) & bit(layout.link_of(rank))) != 0;
    if (rank != layout.my_rank && down) ranks |= bit(rank);
  }
  return ranks | agreed_to_be_slow(ranks);
}

std::uint64_t Views::agreed_to_be_slow(std::uint64_t unreachable) const noexcept {
  const Table& table = current_->table;
  const std::uint64_t mine = table.mine().slow;
  std::uint64_t agreed = mine;
  std::uint64_t asked = bit(table.my_rank());
  for (std::uint32_t rank = 0; agreed != 0 && rank < table.members(); ++rank) {
    if (rank == table.my_rank() || ((mine | unreachable) & bit(rank)) != 0) continue;
    agreed &= table.slow(rank);
    asked |= bit(rank);
  }
  // To whom all others seem slow is slow himself.
  return is_quorum(asked, table.members()) ? agreed : 0;
}

bool Views::drained() const noexcept { return unsent_.empty() && current_->order.drained(); }

bool Views::eviction_is_known() const noexcept {
  if (!evicted_) return false;
  for (std::uint32_t rank = 0; rank < current_->table.members(); ++rank) {
    const bool down = (links_down_ & bit(current_->order.layout().link_of(rank))) != 0;
    if (current_->agreement.kept(rank) && !down && current_->table.decided(rank) == 0) return false;
  }
  return true;
}

void Views::report_unreachable(std::uint64_t links) noexcept {
  reported_ = links;
  due_ns_ = 0;
}

void Views::report_slow(std::uint64_t ranks) noexcept {
  if (ranks == current_->table.mine().slow) return;
  current_->table.show_slow(ranks);
  due_ns_ = 0;
}

void Views::learn_of_eviction() noexcept {
  if (evicted_) return;
  current_->order.wedge();
  tell_whether_messages_are_taken();
  push_tables();
  evicted_ = true;
  events_.evicted();
}

void Views::leave() noexcept {
  leaving_ = true;
  show_whether_leaving();
  due_ns_ = 0;
}

// In each view anew: the last one may have ended without hearing of it. A member alone has nobody
// to leave.
void Views::show_whether_leaving() noexcept {
  if (leaving_ && current_->table.members() > 1) current_->table.show_leaving();
}

// ---- installation ------------------------------------------------------------------------------

void Views::finish() noexcept {
  const Proposal value = current_->agreement.value();
  ordering::ViewOrder& order = current_->order;
  order.wedge();
  tell_whether_messages_are_taken();
  const bool kept = current_->agreement.kept(order.layout().my_rank);
  if (!kept) {
    if (mutant(Mutant::evicted_delivers)) deliver_all_held();
    push_tables();
    evicted_ = true;
    events_.evicted();
    return;
  }
  if (mutant(Mutant::beyond_trim)) deliver_all_held();
  std::array<std::uint64_t, kMostMembers> trims = value.trims;
  for (std::uint32_t i = 0; i < value.streams; ++i) {
    const bool wrong = mutant(Mutant::trim_by_most) || mutant(Mutant::trim_by_own);
    if (wrong) trims[i] = std::min(trims[i], order.received_of(i));
  }
  if (!mutant(Mutant::beyond_trim) && !mutant(Mutant::short_of_trim)) {
    order.deliver_through(std::span(trims).first(value.streams), *handler_);
  }
  collect_undelivered();
  let_go_of_evicted(value);
  if (previous_) drop_evicted();
  previous_ = std::move(current_);
  const ordering::ViewLayout layout = next_layout(value);
  const std::uint64_t view = previous_->view + 1;
  const bool joined = value.joiner.named != 0;
  donors_.installed(view, layout, value.stateless);
  if (!mutant(Mutant::keep_keys)) transport_.renew_keys();
  current_ = std::make_unique<Epoch>(transport_, layout, view, admissions_, donors_, options_,
                                     joined ? Welcome::to(view, layout, donors_) : Welcome{},
                                     previous_->order.take_tokens());
  if (has_state_) current_->table.show_state();
  lose_who_is_not_there(value);
  previous_->order.succeeded_by(current_->order);
  for (std::uint32_t rank = 0; rank < current_->table.members(); ++rank) {
    const std::uint64_t link = bit(current_->order.layout().link_of(rank));
    if (rank == current_->table.my_rank() || (links_down_ & link) == 0) continue;
    current_->order.lose(rank);
    current_->table.lose(rank);
  }
  show_whether_leaving();
  tables_seen_ = 0;
  silent_ = 0;
  ring_busy_ = true;
  tell_quorum(true);  // one agreed on this view, whether or not this member heard it
  quorum_seen_ns_ = 0;
  push_tables();
  events_.view_installed(current_->view, current_->order.layout(), donors_);
}

void Views::deliver_all_held() noexcept {
  std::vector<std::uint64_t> held;
  for (std::uint32_t i = 0; i < current_->order.stream_count(); ++i) {
    held.push_back(current_->order.received_of(i));
  }
  current_->order.deliver_through(held, *handler_);
}

ordering::ViewLayout Views::next_layout(const Proposal& value) const {
  const ordering::ViewLayout& old = previous_->order.layout();
  ordering::ViewLayout next;
  next.ring_bytes = old.ring_bytes;
  next.copy = (old.copy + 1) % transports::kRegionCopies;
  if (mutant(Mutant::same_copy)) next.copy = old.copy;
  next.first_index = mutant(Mutant::index_from_zero) ? 0 : value.first_index;
  next.first_mark = previous_->order.next_mark();
  if (!mutant(Mutant::time_runs_back)) next.timestamp_ns = previous_->order.last_timestamp_ns();
  next.members = 0;
  for (std::uint32_t rank = 0; rank < old.members; ++rank) {
    if ((value.kept & bit(rank)) == 0) continue;
    const std::uint32_t next_rank = next.members++;
    if (rank == old.my_rank) next.my_rank = next_rank;
    next.links.push_back(old.link_of(rank));
    // Payloads never see it, and the members that go on all know it.
    const std::uint64_t step = mutant(Mutant::same_nonce) ? 0 : 0x9e3779b97f4a7c15U;
    next.nonces.push_back(step == 0 ? old.nonces[rank] : ordering::mix(old.nonces[rank] + step));
    if (std::ranges::find(old.senders, rank) != old.senders.end()) {
      next.senders.push_back(next_rank);
    }
  }
  if (value.joiner.named != 0) {
    if (value.joiner.sends != 0) next.senders.push_back(next.members);
    next.links.push_back(static_cast<transports::LinkId>(value.joiner.link));
    next.nonces.push_back(value.joiner.nonce);
    ++next.members;
  }
  // An order needs somebody's turns to count by, though he may have nothing to say.
  if (next.senders.empty()) next.senders.push_back(0);
  return next;
}

// In front of those that are still waiting from the view before: they were sent before them.
void Views::collect_undelivered() {
  std::deque<Unsent> collected;
  current_->order.each_undelivered([&](std::span<const std::byte> payload, std::uint64_t token) {
    collected.push_back({{payload.begin(), payload.end()}, token});
  });
  if (mutant(Mutant::no_resend)) collected.clear();
  if (mutant(Mutant::resend_twice) && !collected.empty()) collected.push_back(collected.back());
  unsent_.insert(unsent_.begin(), std::make_move_iterator(collected.begin()),
                 std::make_move_iterator(collected.end()));
}

void Views::send_again() noexcept {
  if (ring_busy_ && previous_) {
    ring_busy_ = !mutant(Mutant::ring_before_complete) &&
                 !current_->order.posts_complete(previous_->order.layout().first_mark);
  }
  if (ring_busy_ || current_->order.wedged()) return;
  const bool late = mutant(Mutant::new_before_resend) &&
                    current_->order.next_mark() == current_->order.layout().first_mark + 1;
  if (late) return;
  while (!unsent_.empty()) {
    const Unsent& next = unsent_.front();
    std::byte* const room = current_->order.claim(next.payload.size());
    if (room == nullptr) return;
    std::ranges::copy(next.payload, room);
    current_->order.publish(next.token);
    unsent_.pop_front();
  }
}

bool Views::all_show() const noexcept {
  for (std::uint32_t rank = 0; rank < current_->table.members(); ++rank) {
    if (!current_->table.shows(rank)) return false;
  }
  return !ring_busy_;
}

// ---- sleeping ----------------------------------------------------------------------------------

std::uint64_t Views::deadline_ns() const noexcept {
  return std::min(transport_.deadline_ns(), change_due_ns());
}

std::uint64_t Views::change_due_ns() const noexcept {
  if (evicted_) return ~std::uint64_t{0};
  const std::uint64_t deadline_ns =
      std::min(current_->observation.deadline_ns(), current_->agreement.deadline_ns());
  return previous_ ? std::min(deadline_ns, farewell_ns_) : deadline_ns;
}

bool Views::prepare_to_sleep() noexcept {
  if (evicted_) return !current_->table.owes_posts() && !events_.control_pending();
  ordering::ViewOrder& order = current_->order;
  order.settle();
  transport_.announce_sleep();
  const bool table = order.tables() != tables_seen_ || current_->table.owes_posts();
  if (!order.anything_new() && !table && !ring_busy_ && unsent_.empty() &&
      !events_.control_pending())
    return true;
  transport_.announce_awake();
  return false;
}

void Views::woke() noexcept { transport_.announce_awake(); }

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
