#include "membership/member.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "ordering/region_layout.hpp"
#include "runtime/assert.hpp"
#include "runtime/counters_layout.hpp"
#include "runtime/word.hpp"

namespace lockstep::membership {
namespace {

constexpr std::uint64_t kCountersIntervalNs = 10'000'000;
constexpr std::uint32_t kMailboxBatch = 64;
/// How often a leaving member looks at what no bell rings for.
constexpr std::uint64_t kLeaveLookNs = 1'000'000;

template <class Numbers>
struct NamedCounter {
  const char* name;
  std::uint64_t Numbers::* word;
};
constexpr NamedCounter<ordering::OrderStatistics> kCounters[] = {
    {"frames_sent", &ordering::OrderStatistics::frames_sent},
    {"ring_bytes_sent", &ordering::OrderStatistics::ring_bytes_sent},
    {"nulls_sent", &ordering::OrderStatistics::nulls_sent},
    {"frames_delivered", &ordering::OrderStatistics::frames_delivered},
    {"payload_bytes_delivered", &ordering::OrderStatistics::payload_bytes_delivered},
    {"posts", &ordering::OrderStatistics::posts},
    {"row_pushes", &ordering::OrderStatistics::row_pushes},
    {"stalls_ring_full", &ordering::OrderStatistics::stalls_ring_full},
    {"stalls_link_full", &ordering::OrderStatistics::stalls_link_full},
    {"frames_rejected", &ordering::OrderStatistics::frames_rejected},
};
constexpr NamedCounter<transports::PacketCounts> kPacketCounters[] = {
    {"packets.sent", &transports::PacketCounts::sent},
    {"packets.sent_again", &transports::PacketCounts::sent_again},
    {"packets.acknowledgements_sent", &transports::PacketCounts::acknowledgements_sent},
    {"packets.received", &transports::PacketCounts::received},
    {"packets.received_again", &transports::PacketCounts::received_again},
    {"packets.rejected", &transports::PacketCounts::rejected},
};

std::uint32_t place_of(const std::vector<std::string>& members, const std::string& name) {
  return static_cast<std::uint32_t>(std::ranges::find(members, name) - members.begin());
}

/// A member's name as the last part of a counter's: its place in the configuration where the
/// longest of these names would be cut, and two members might look the same.
std::string counted_name(const std::string& prefix, const std::string& member,
                         std::uint32_t place) {
  constexpr std::size_t kLongestPart = std::string_view("unreachable_of.").size();
  const bool fits = prefix.size() + kLongestPart + member.size() < runtime::kCounterNameBytes;
  return fits ? member : fmt::format("member_{}", place);
}

}  // namespace

Member::Member(runtime::Reactor& reactor, const GroupConfig& config, StateMachine& state_machine)
    : reactor_(reactor),
      config_(config),
      my_link_(place_of(config.members, config.self)),
      sender_(may_send(my_link_)),
      state_machine_(state_machine),
      introductions_(config.members.size()),
      incarnations_(config.members.size()),
      met_in_(config.members.size()),
      choices_(config.members.size()),
      slowness_({.lag = config.slow_lag, .timeout_ns = config.slow_timeout_ns}),
      transfers_(state_machine, *this, config_.members, my_link_) {}

bool Member::may_send(transports::LinkId link) const {
  const std::vector<std::string>& named = config_.senders;
  return named.empty() || std::ranges::find(named, config_.members[link]) != named.end();
}

// ---- leaving -----------------------------------------------------------------------------------

Expected<void> Member::leave(std::uint64_t timeout_ns) {
  const std::uint64_t deadline_ns = reactor_.clock().now_ns() + timeout_ns;
  leaving_ = true;
  open_.store(false, std::memory_order_relaxed);
  views_->leave();
  while (view_.members.size() > 1 && !views_->eviction_is_known()) {
    const std::uint64_t now_ns = reactor_.clock().now_ns();
    if (now_ns >= deadline_ns) {
      return fail(
          ErrorCode::timed_out,
          fmt::format("the others did not agree to go on without '{}' within {:.1f} s; ended "
                      "now, it looks to them as if it died",
                      config_.self, static_cast<double>(timeout_ns) / 1e9));
    }
    if (!reactor_.poll_once()) reactor_.idle(std::min(deadline_ns - now_ns, kLeaveLookNs));
  }
  return {};
}

Member::~Member() {
  open_.store(false, std::memory_order_relaxed);
  if (!views_) return;
  order_->settle();
  publish_counters(reactor_.clock().now_ns());
  reactor_.detach(*views_);
}

// ---- publishing --------------------------------------------------------------------------------

Refusal Member::refuse(std::size_t bytes) noexcept {
  if (views_->is_evicted()) return {.outcome = Outcome::not_member};
  if (!sender_) return {.outcome = Outcome::not_sender};
  if (bytes > order_->max_payload_bytes()) return {.outcome = Outcome::too_large};
  if (claim_limit_ == 0) return {.outcome = Outcome::wedged};
  const std::uint32_t slowest = order_->slowest_rank();
  stalls_by_link_[links_[slowest]].add();
  return {.outcome = Outcome::would_block, .slowest_rank = slowest};
}

void Member::publish(std::uint64_t claim, std::uint64_t token) noexcept {
  LOCKSTEP_ASSERT(claim == claim_number_);
  ++claim_number_;
  order_->publish(token);
}

std::expected<void, Refusal> Member::post(std::span<const std::byte> payload,
                                          std::uint64_t token) noexcept {
  if (!open_.load(std::memory_order_relaxed)) {
    return std::unexpected(Refusal{.outcome = Outcome::not_member});
  }
  if (!sender_) return std::unexpected(Refusal{.outcome = Outcome::not_sender});
  switch (mailbox_->push(payload, token)) {
    case runtime::Push::pushed:
      reactor_.wake_if_sleeping();
      return {};
    case runtime::Push::full:
      return std::unexpected(Refusal{.outcome = Outcome::would_block});
    case runtime::Push::too_large:
      break;
  }
  return std::unexpected(Refusal{.outcome = Outcome::too_large});
}

std::size_t Member::max_payload_bytes() const noexcept { return order_->max_payload_bytes(); }

// ---- control -----------------------------------------------------------------------------------

bool Member::control_step(std::uint64_t now_ns) noexcept {
  ++claim_number_;  // a slot ends with the turn it was claimed in
  if (now_ns >= counters_due_ns_) {
    publish_counters(now_ns);
    look_for_slow_members(now_ns);
    show_standing();
    ask_around(now_ns);
  }
  if (greeter_->has_news()) [[unlikely]] {
    take_arrivals();
  }
  bool busy = drain_mailbox();
  if (transfers_.going()) [[unlikely]] {
    busy |= transfers_.step(now_ns);
  }
  if (!has_state_) [[unlikely]] {
    busy |= catch_up();
  }
  return busy;
}

bool Member::control_pending() const noexcept {
  runtime::Mailbox::View waiting;
  const bool mail = claim_limit_ > 0 && mailbox_->front(waiting);
  return mail || greeter_->has_news() || transfers_.going() || !has_state_;
}

bool Member::drain_mailbox() noexcept {
  runtime::Mailbox::View waiting;
  std::uint32_t published = 0;
  while (published < kMailboxBatch && claim_limit_ > 0 && mailbox_->front(waiting)) {
    Refusal refusal;
    std::byte* const room = claim(waiting.payload.size(), refusal);
    if (room == nullptr) return published > 0;  // stays there: the mailbox's bound is the limit
    if (!waiting.payload.empty()) {
      std::memcpy(room, waiting.payload.data(), waiting.payload.size());
    }
    publish(claim_number_, waiting.token);
    mailbox_->pop_front();
    ++published;
  }
  return published > 0;
}

// ---- events ------------------------------------------------------------------------------------

void Member::takes_messages_changed(bool takes_messages) noexcept {
  const bool may = takes_messages && sender_ && has_state_;
  claim_limit_ = may ? order_->max_payload_bytes() + 1 : 0;
}

void Member::view_installed(std::uint64_t id, const ordering::ViewLayout& layout,
                            const Donors& donors) noexcept {
  past_ = total(order_->statistics());
  order_ = &views_->order();
  // Before the application hears of the view: the state at the cut is that of the view before.
  if (transfers_.installed(id, layout, donors, has_state_)) catch_up_.begin_anew();
  if (transfers_.waits()) catch_up_.pause();
  describe_view(id, layout);
  show_standing();
  if (has_state_) {
    state_machine_.view_installed(view_);
  } else {
    catch_up_.view_installed(view_);
  }
}

void Member::describe_view(std::uint64_t id, const ordering::ViewLayout& layout) {
  slowness_.begin_anew();
  view_.id = id;
  view_.my_rank = layout.my_rank;
  view_.primary = true;
  view_.members.clear();
  for (const transports::LinkId link : layout.links) {
    view_.members.push_back(config_.members[link]);
  }
  links_ = layout.links;
}

void Member::quorum_changed(bool has_quorum) noexcept {
  view_.primary = has_quorum;
  if (has_quorum) {
    state_machine_.quorum_regained(view_);
  } else {
    state_machine_.quorum_lost(view_);
  }
}

void Member::evicted() noexcept {
  view_.primary = false;
  open_.store(false, std::memory_order_relaxed);
  if (!leaving_) state_machine_.evicted(view_);
}

void Member::link_down(transports::LinkId link, transports::DownReason reason) noexcept {
  if (views_->is_free(link)) return let_go(link);
  greeter_->forget(link);
  report(link, std::string(transports::to_string(reason)));
}

void Member::link_silent(transports::LinkId link) noexcept {
  report(link,
         fmt::format("silent for {:.1f} s", static_cast<double>(config_.silence_timeout_ns) / 1e9));
}

/// Of a member of the view: whoever was evicted before may go as it likes.
void Member::report(transports::LinkId link, std::string reason) noexcept {
  const auto rank = std::ranges::find(links_, link);
  if (rank == links_.end() || views_->is_evicted()) return;
  state_machine_.member_unreachable({.rank = static_cast<std::uint32_t>(rank - links_.begin()),
                                     .name = config_.members[link],
                                     .reason = std::move(reason)});
}

/// While a view is changing nobody takes anything.
void Member::look_for_slow_members(std::uint64_t now_ns) noexcept {
  if (views_->is_evicted() || !view_.primary || order_->wedged()) return slowness_.begin_anew();
  std::array<std::uint64_t, kMaxMembers> lags{};
  const std::size_t members = links_.size();
  for (std::uint32_t rank = 0; rank < members; ++rank) lags[rank] = order_->turns_waiting_for(rank);
  const std::uint64_t newly = slowness_.look(std::span(lags).first(members), now_ns);
  for (std::uint32_t rank = 0; rank < members; ++rank) {
    if ((newly >> rank & 1U) == 0) continue;
    state_machine_.member_slow({.rank = rank, .name = view_.members[rank], .lag = lags[rank]});
  }
  const std::uint64_t others = ~(std::uint64_t{1} << view_.my_rank);
  if (config_.slow_evicts) views_->report_slow(slowness_.slow() & others);
}

// ---- counters ----------------------------------------------------------------------------------

void Member::make_counters() {
  runtime::Counters& file = reactor_.counters();
  const std::string prefix = fmt::format("group.{}.", config_.name);
  for (const auto& counter : kCounters) counters_.push_back(file.make(prefix + counter.name));
  if (transport_->packet_counts()) {
    for (const auto& counter : kPacketCounters) {
      packet_counters_.push_back(file.make(prefix + counter.name));
    }
  }
  for (std::uint32_t rank = 0; rank < config_.members.size(); ++rank) {
    stalls_by_link_.push_back(file.make(fmt::format("{}stalls_by_rank.{}", prefix, rank)));
  }
  for (const char* name : {"view", "my_rank", "primary", "strangers_refused"}) {
    view_counters_.push_back(file.make(prefix + name));
  }
  for (std::uint32_t link = 0; link < config_.members.size(); ++link) {
    const std::string name = counted_name(prefix, config_.members[link], link);
    member_counters_.push_back({.rank = file.make(prefix + "rank_of." + name),
                                .lag = file.make(prefix + "lag_of." + name),
                                .unreachable = file.make(prefix + "unreachable_of." + name),
                                .medium = file.make(prefix + "medium_of." + name),
                                .encrypted = file.make(prefix + "encrypted_of." + name),
                                .no_shm = file.make(prefix + "no_shm_of." + name),
                                .no_verbs = file.make(prefix + "no_verbs_of." + name)});
  }
}

/// What `current` and the views before it come to.
ordering::OrderStatistics Member::total(const ordering::OrderStatistics& current) const noexcept {
  ordering::OrderStatistics sum = current;
  for (const auto& counter : kCounters) sum.*counter.word += past_.*counter.word;
  return sum;
}

void Member::publish_counters(std::uint64_t now_ns) noexcept {
  const ordering::OrderStatistics statistics = total(order_->statistics());
  for (std::size_t i = 0; i < counters_.size(); ++i) {
    counters_[i].set(statistics.*kCounters[i].word);
  }
  const auto packets = transport_->packet_counts().value_or(transports::PacketCounts{});
  for (std::size_t i = 0; i < packet_counters_.size(); ++i) {
    packet_counters_[i].set(packets.*kPacketCounters[i].word);
  }
  publish_view_counters();
  counters_due_ns_ = now_ns + kCountersIntervalNs;
}

void Member::publish_view_counters() noexcept {
  view_counters_[0].set(view_.id);
  view_counters_[1].set(view_.my_rank);
  view_counters_[2].set(view_.primary ? 1 : 0);
  view_counters_[3].set(greeter_->refused());
  const std::uint64_t unreachable = runtime::load_acquire(views_->row().unreachable);
  for (std::uint32_t link = 0; link < member_counters_.size(); ++link) {
    const auto found = std::ranges::find(links_, link);
    const auto rank = static_cast<std::uint32_t>(found - links_.begin());
    const bool absent = found == links_.end();
    const MemberCounters& counters = member_counters_[link];
    counters.rank.set(absent ? ~std::uint64_t{0} : rank);
    counters.lag.set(absent ? 0 : lag_of(rank));
    counters.unreachable.set(absent ? 0 : unreachable >> rank & 1U);
    const bool linked = !absent && link != my_link_;
    const transports::LinkChoice choice = linked ? choices_[link] : transports::LinkChoice{};
    counters.medium.set(linked ? std::to_underlying(choice.medium) : 0);
    counters.encrypted.set(choice.sealed ? 1 : 0);
    counters.no_shm.set(std::to_underlying(choice.no_shm));
    counters.no_verbs.set(std::to_underlying(choice.no_verbs));
  }
}

/// In turns of the order, by what that member last showed. A row that is still of an older view
/// says nothing of this one.
std::uint64_t Member::lag_of(std::uint32_t rank) const noexcept {
  if (rank == view_.my_rank) return 0;
  const ordering::ViewLayout& layout = order_->layout();
  const auto region = transport_->inbound(links_[rank], layout.copy);
  const auto* row =
      reinterpret_cast<const ordering::HotLine*>(region.data() + ordering::kRowOffset);
  const std::uint64_t first = layout.first_index * layout.senders.size();
  const std::uint64_t theirs = std::max(first, runtime::load_acquire(row->delivered_sequence));
  const std::uint64_t mine = order_->delivered_sequence();
  return mine > theirs ? mine - theirs : 0;
}

}  // namespace lockstep::membership
