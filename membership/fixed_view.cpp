#include "membership/fixed_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "ordering/region_layout.hpp"
#include "runtime/assert.hpp"
#include "runtime/config_text.hpp"
#include "runtime/entropy.hpp"
#include "runtime/host.hpp"
#include "runtime/topology.hpp"
#include "transports/connect.hpp"

namespace lockstep::membership {
namespace {

constexpr std::uint64_t kCountersIntervalNs = 10'000'000;
constexpr std::uint32_t kMailboxBatch = 64;

struct NamedCounter {
  const char* name;
  std::uint64_t ordering::OrderStatistics::* word;
};
constexpr NamedCounter kCounters[] = {
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

std::uint32_t rank_of(const std::vector<std::string>& members, const std::string& name) {
  return static_cast<std::uint32_t>(std::ranges::find(members, name) - members.begin());
}

bool may_send(const GroupConfig& config, const std::string& name) {
  return config.senders.empty() || std::ranges::find(config.senders, name) != config.senders.end();
}

}  // namespace

FixedView::FixedView(runtime::Reactor& reactor, const GroupConfig& config,
                     StateMachine& state_machine)
    : reactor_(reactor), config_(config), state_machine_(state_machine) {
  view_.id = 1;
  view_.members = config.members;
  view_.my_rank = rank_of(config.members, config.self);
  view_.primary = true;
}

// ---- joining -----------------------------------------------------------------------------------

Expected<std::unique_ptr<FixedView>> FixedView::join(runtime::Reactor& reactor,
                                                     const GroupConfig& config,
                                                     StateMachine& state_machine) {
  if (!reactor.status()) return std::unexpected(reactor.status().error());
  if (auto valid = validate(config); !valid) return std::unexpected(valid.error());
  std::unique_ptr<FixedView> view(new FixedView(reactor, config, state_machine));
  if (auto connected = view->connect(); !connected) return std::unexpected(connected.error());
  view->install();
  return view;
}

Expected<void> FixedView::connect() {
  auto mailbox = runtime::Mailbox::create(config_.mailbox_slots, config_.mailbox_payload_bytes);
  if (!mailbox) return std::unexpected(mailbox.error());
  mailbox_ = std::move(*mailbox);
  const auto nonce = runtime::random_word();
  if (!nonce) return std::unexpected(nonce.error());
  std::vector<Introduction> introductions(view_.members.size());
  Introduction& mine = introductions[view_.my_rank];
  mine = {.nonce = *nonce,
          .host = runtime::host_identity(),
          .reactor = reactor_.identity(),
          .cpus = reactor_.cpus(),
          .settings = runtime::canonical_text(config_)};

  const auto examine = [&](std::uint32_t rank, const std::string& text) -> Expected<void> {
    auto theirs = Introduction::decode(text);
    if (!theirs) return std::unexpected(theirs.error());
    const std::string difference = runtime::first_difference(mine.settings, theirs->settings);
    if (!difference.empty()) {
      return fail(ErrorCode::mismatch,
                  fmt::format("configurations of group '{}' differ: group.{} (at member '{}', rank "
                              "{}); make them equal",
                              config_.name, difference, view_.members[rank], rank));
    }
    introductions[rank] = std::move(*theirs);
    return {};
  };

  const bool sender = may_send(config_, config_.self);
  auto transport = transports::connect(config_,
                                       {.my_rank = view_.my_rank,
                                        .region_bytes = ordering::region_bytes(config_.ring_bytes),
                                        .source_bytes = sender ? 2 * config_.ring_bytes : 0,
                                        .memory = {.huge_pages = reactor_.config().huge_pages,
                                                   .lock = reactor_.config().lock_memory},
                                        .introduction = mine.encode(),
                                        .core = reactor_.config().core,
                                        .doorbell = reactor_.doorbell().descriptor()},
                                       examine);
  if (!transport) return std::unexpected(transport.error());
  transport_ = std::move(*transport);
  for (const std::string& notice : transport_->notices()) reactor_.note(notice);
  bind_memory();

  if (auto settled = settle_idle_policy(introductions); !settled) return settled;
  const runtime::TscClock& clock = reactor_.clock();
  cycle_ = std::make_unique<DutyCycle>(
      *transport_, layout_of(introductions), state_machine_, *this,
      DutyCycleOptions{.observation = {.heartbeat_interval_ns = config_.heartbeat_interval_ns,
                                       .silence_timeout_ns = config_.silence_timeout_ns},
                       .wall_offset_ns = clock.wall_ns() - clock.now_ns()});
  return {};
}

void FixedView::bind_memory() {
  // What this thread reads and posts from lies best on the node of its CPU.
  const std::int32_t core = reactor_.config().core;
  reactor_.note(runtime::bind_memory(transport_->source(), core));
  for (std::uint32_t rank = 0; rank < view_.members.size(); ++rank) {
    if (rank == view_.my_rank) continue;
    for (std::uint32_t copy = 0; copy < transports::kRegionCopies; ++copy) {
      reactor_.note(runtime::bind_memory(transport_->inbound(rank, copy), core));
    }
  }
}

Expected<void> FixedView::settle_idle_policy(const std::vector<Introduction>& introductions) {
  const HostLoad load = host_load(introductions, introductions[view_.my_rank].host);
  reactor_.resolve_idle(load.cpus >= load.reactors);
  const bool spins = reactor_.idle_policy() == IdlePolicy::spin;
  if (spins && load.cpus < load.reactors) {
    return fail(
        ErrorCode::oversubscribed,
        fmt::format("{} reactors of group '{}' would share {} allowed CPUs, and this one is "
                    "told to spin: each would wait whole time slices for the others; set "
                    "reactor.idle to \"backoff\", or allow more CPUs (taskset, cgroups)",
                    load.reactors, config_.name, load.cpus));
  }
  transport_->set_never_sleeps(reactor_.idle_policy() != IdlePolicy::backoff);
  return {};
}

ordering::ViewLayout FixedView::layout_of(const std::vector<Introduction>& introductions) const {
  ordering::ViewLayout layout;
  layout.members = static_cast<std::uint32_t>(view_.members.size());
  layout.my_rank = view_.my_rank;
  layout.ring_bytes = config_.ring_bytes;
  layout.copy = view_.id % transports::kRegionCopies;
  for (std::uint32_t rank = 0; rank < layout.members; ++rank) {
    layout.nonces.push_back(introductions[rank].nonce);
    if (may_send(config_, view_.members[rank])) layout.senders.push_back(rank);
  }
  return layout;
}

void FixedView::install() {
  make_counters();
  const ordering::ViewOrder& order = cycle_->order();
  if (order.is_sender()) claim_limit_ = order.max_payload_bytes() + 1;
  reactor_.attach(*cycle_);
  state_machine_.view_installed(view_);
}

FixedView::~FixedView() {
  open_.store(false, std::memory_order_relaxed);
  if (!cycle_) return;
  cycle_->order().settle();
  publish_counters(reactor_.clock().now_ns());
  reactor_.detach(*cycle_);
}

// ---- publishing --------------------------------------------------------------------------------

Refusal FixedView::refuse(std::size_t bytes) noexcept {
  const ordering::ViewOrder& order = cycle_->order();
  if (!view_.primary) return {.outcome = Outcome::not_member};
  if (!order.is_sender()) return {.outcome = Outcome::not_sender};
  if (bytes >= claim_limit_) return {.outcome = Outcome::too_large};
  const std::uint32_t slowest = order.slowest_rank();
  stalls_by_rank_[slowest].add();
  return {.outcome = Outcome::would_block, .slowest_rank = slowest};
}

void FixedView::publish(std::uint64_t claim, std::uint64_t token) noexcept {
  LOCKSTEP_ASSERT(claim == claim_number_);
  ++claim_number_;
  cycle_->order().publish(token);
}

std::expected<void, Refusal> FixedView::post(std::span<const std::byte> payload,
                                             std::uint64_t token) noexcept {
  if (!open_.load(std::memory_order_relaxed)) {
    return std::unexpected(Refusal{.outcome = Outcome::not_member});
  }
  if (!may_send(config_, config_.self)) {
    return std::unexpected(Refusal{.outcome = Outcome::not_sender});
  }
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

std::size_t FixedView::max_payload_bytes() const noexcept {
  return cycle_->order().max_payload_bytes();
}

// ---- control -----------------------------------------------------------------------------------

bool FixedView::control_step(std::uint64_t now_ns) noexcept {
  if (now_ns >= counters_due_ns_) publish_counters(now_ns);
  return drain_mailbox();
}

bool FixedView::control_pending() const noexcept {
  runtime::Mailbox::View waiting;
  return view_.primary && mailbox_->front(waiting);
}

bool FixedView::drain_mailbox() noexcept {
  runtime::Mailbox::View waiting;
  std::uint32_t published = 0;
  while (published < kMailboxBatch && mailbox_->front(waiting)) {
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

void FixedView::member_lost(std::uint32_t rank, transports::DownReason reason) noexcept {
  lose(rank, std::string(transports::to_string(reason)));
}

void FixedView::member_silent(std::uint32_t rank) noexcept {
  lose(rank,
       fmt::format("silent for {:.1f} s", static_cast<double>(config_.silence_timeout_ns) / 1e9));
}

void FixedView::lose(std::uint32_t rank, std::string reason) noexcept {
  view_.primary = false;
  claim_limit_ = 0;
  open_.store(false, std::memory_order_relaxed);
  state_machine_.member_lost(
      {.rank = rank, .name = view_.members[rank], .reason = std::move(reason)});
}

// ---- counters ----------------------------------------------------------------------------------

void FixedView::make_counters() {
  runtime::Counters& file = reactor_.counters();
  const std::string prefix = fmt::format("group.{}.", config_.name);
  for (const NamedCounter& counter : kCounters)
    counters_.push_back(file.make(prefix + counter.name));
  for (std::uint32_t rank = 0; rank < view_.members.size(); ++rank) {
    stalls_by_rank_.push_back(file.make(fmt::format("{}stalls_by_rank.{}", prefix, rank)));
  }
}

void FixedView::publish_counters(std::uint64_t now_ns) noexcept {
  const ordering::OrderStatistics statistics = cycle_->order().statistics();
  for (std::size_t i = 0; i < counters_.size(); ++i) {
    counters_[i].set(statistics.*kCounters[i].word);
  }
  counters_due_ns_ = now_ns + kCountersIntervalNs;
}

}  // namespace lockstep::membership
