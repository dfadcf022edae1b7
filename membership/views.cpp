#include "membership/views.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "membership/mutant.hpp"
#include "ordering/frame.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {
namespace {

constexpr std::uint64_t bit(std::uint32_t number) { return std::uint64_t{1} << number; }

transports::LinkId link_of(const ordering::ViewLayout& layout, std::uint32_t rank) {
  return layout.links.empty() ? rank : layout.links[rank];
}

}  // namespace

/// Everything that belongs to one view.
struct Views::Epoch {
  Epoch(transports::Transport& transport, const ordering::ViewLayout& layout, std::uint64_t id,
        const ViewsOptions& options)
      : view(id),
        order(transport, layout),
        table(transport, order.layout(), id),
        agreement(table, order, options.agreement),
        observation(order, layout.members, layout.my_rank, options.observation) {}

  std::uint64_t view;
  ordering::ViewOrder order;
  Table table;
  Agreement agreement;
  Observation observation;
};

Views::Views(transports::Transport& transport, const ordering::ViewLayout& layout,
             std::uint64_t view, MessageHandler& handler, ViewEvents& events,
             const ViewsOptions& options)
    : transport_(transport),
      handler_(handler),
      events_(events),
      options_(options),
      current_(std::make_unique<Epoch>(transport, layout, view, options)) {}

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
    return events_.control_step(now_ns);
  }
  ordering::ViewOrder& order = current_->order;
  order.set_wall_ns(now_ns + options_.wall_offset_ns);
  bool busy = poll_links();              // link events in (bytes come in by themselves: one-sided)
  busy |= order.receive();               // sweep the rings, advance my received counters
  busy |= order.deliver(handler_);       // hand the stable prefix to the application
  busy |= order.send(busy);              // push frames and changed counters, by what is there
  busy |= change(now_ns);                // beats, observation, agreement, installation
  busy |= events_.control_step(now_ns);  // mailboxes, counters: bounded
  return busy;
}

bool Views::poll_links() noexcept {
  std::array<transports::LinkDown, 8> events;
  const std::size_t count = transport_.poll(events);
  for (std::size_t i = 0; i < count; ++i) lose(events[i]);
  std::uint32_t offender = 0;
  if (current_->order.take_offender(offender)) [[unlikely]] {
    lose({.link = link_of(current_->order.layout(), offender),
          .reason = transports::DownReason::protocol_error});
  }
  return count > 0;
}

void Views::lose(const transports::LinkDown& down) noexcept {
  links_down_ |= bit(down.link);
  links_moved_ = true;
  for (Epoch* epoch : {current_.get(), previous_.get()}) {
    if (epoch == nullptr) continue;
    const ordering::ViewLayout& layout = epoch->order.layout();
    for (std::uint32_t rank = 0; rank < layout.members; ++rank) {
      if (rank == layout.my_rank || link_of(layout, rank) != down.link) continue;
      epoch->order.lose(rank);
      epoch->table.lose(rank);
    }
  }
  events_.link_down(down.link, down.reason);
}

// ---- membership --------------------------------------------------------------------------------

bool Views::change_is_due(std::uint64_t now_ns) const noexcept {
  return now_ns >= deadline_ns() || current_->order.tables() != tables_seen_ || links_moved_ ||
         ring_busy_ || !unsent_.empty() || current_->table.owes_posts() ||
         (previous_ && previous_->table.owes_posts());
}

bool Views::change(std::uint64_t now_ns) noexcept {
  if (!change_is_due(now_ns)) [[likely]] {
    return false;
  }
  links_moved_ = false;
  tables_seen_ = current_->order.tables();
  current_->observation.step(now_ns);
  const bool in_flux = current_->observation.in_flux(now_ns);
  const bool decided = current_->agreement.step(now_ns, unreachable(), in_flux);
  bool busy = push_tables();
  if (current_->agreement.has_quorum() != had_quorum_) {
    had_quorum_ = !had_quorum_;
    events_.quorum_changed(had_quorum_);
  }
  if (decided) {
    finish();
    // Whom the others went on without may read so until then.
    farewell_ns_ = now_ns + options_.observation.silence_timeout_ns;
    busy = true;
  }
  send_again();
  if (previous_ && now_ns >= farewell_ns_) {
    farewell_ns_ = now_ns + options_.observation.silence_timeout_ns;
    if (all_show()) drop_evicted();
  }
  return busy;
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
    const bool down = ((links_down_ | reported_) & bit(link_of(layout, rank))) != 0;
    if (rank != layout.my_rank && down) ranks |= bit(rank);
  }
  return ranks;
}

void Views::report_unreachable(std::uint64_t links) noexcept {
  reported_ = links;
  links_moved_ = true;
}

void Views::leave() noexcept {
  current_->table.show_leaving();
  links_moved_ = true;
}

// ---- installation ------------------------------------------------------------------------------

void Views::finish() noexcept {
  const Proposal value = current_->agreement.value();
  ordering::ViewOrder& order = current_->order;
  order.wedge();
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
    order.deliver_through(std::span(trims).first(value.streams), handler_);
  }
  collect_undelivered();
  let_go_of_evicted(value);
  if (previous_) drop_evicted();
  previous_ = std::move(current_);
  current_ = std::make_unique<Epoch>(transport_, next_layout(value), previous_->view + 1, options_);
  previous_->order.succeeded_by(current_->order);
  for (std::uint32_t rank = 0; rank < current_->table.members(); ++rank) {
    const std::uint64_t link = bit(link_of(current_->order.layout(), rank));
    if (rank == current_->table.my_rank() || (links_down_ & link) == 0) continue;
    current_->order.lose(rank);
    current_->table.lose(rank);
  }
  tables_seen_ = 0;
  ring_busy_ = true;
  had_quorum_ = true;
  push_tables();
  events_.view_installed(current_->view, current_->order.layout());
}

void Views::deliver_all_held() noexcept {
  std::vector<std::uint64_t> held;
  for (std::uint32_t i = 0; i < current_->order.stream_count(); ++i) {
    held.push_back(current_->order.received_of(i));
  }
  current_->order.deliver_through(held, handler_);
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
    next.links.push_back(link_of(old, rank));
    // Payloads never see it, and the members that go on all know it.
    const std::uint64_t step = mutant(Mutant::same_nonce) ? 0 : 0x9e3779b97f4a7c15U;
    next.nonces.push_back(step == 0 ? old.nonces[rank] : ordering::mix(old.nonces[rank] + step));
    if (std::ranges::find(old.senders, rank) != old.senders.end()) {
      next.senders.push_back(next_rank);
    }
  }
  // An order needs somebody's turns to count by, though he may have nothing to say.
  if (next.senders.empty()) next.senders.push_back(0);
  return next;
}

void Views::let_go_of_evicted(const Proposal& value) noexcept {
  // The own ring of the next view lies where that of the view before this one lay.
  const ordering::ViewLayout& layout = current_->order.layout();
  for (std::uint32_t rank = 0; rank < layout.members; ++rank) {
    if (rank == layout.my_rank || (value.kept & bit(rank)) != 0) continue;
    const transports::LinkId link = link_of(layout, rank);
    if (transport_.completed(link) < layout.first_mark) transport_.drop(link);
  }
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

void Views::drop_evicted() noexcept {
  const ordering::ViewLayout& old = previous_->order.layout();
  for (std::uint32_t rank = 0; rank < old.members; ++rank) {
    if (rank != old.my_rank && !previous_->agreement.kept(rank)) {
      transport_.drop(link_of(old, rank));
    }
  }
  previous_.reset();
}

// ---- sleeping ----------------------------------------------------------------------------------

std::uint64_t Views::deadline_ns() const noexcept {
  const std::uint64_t deadline_ns =
      std::min(current_->observation.deadline_ns(), current_->agreement.deadline_ns());
  return previous_ ? std::min(deadline_ns, farewell_ns_) : deadline_ns;
}

bool Views::prepare_to_sleep() noexcept {
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
