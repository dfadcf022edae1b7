#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "membership/introduction.hpp"
#include "membership/member.hpp"
#include "membership/table.hpp"
#include "membership/welcome.hpp"
#include "runtime/config_text.hpp"
#include "runtime/entropy.hpp"
#include "runtime/host.hpp"
#include "transports/connect.hpp"

/// How a member comes into its group, and how it lets others in; member.cpp has the rest.
namespace lockstep::membership {
namespace {

/// How long a joiner sleeps at most between two looks: nobody rings for it yet.
constexpr std::uint64_t kLookNs = 1'000'000;
/// Between two questions to the others, of a member that has no quorum.
constexpr std::uint64_t kAskingNs = 500'000'000;
/// Messages that are told at once when the state is there: more than come in a turn.
constexpr std::size_t kReplayedAtOnce = 16'384;

constexpr std::uint64_t bit(transports::LinkId link) { return std::uint64_t{1} << link; }

}  // namespace

// ---- coming ------------------------------------------------------------------------------------

Expected<std::unique_ptr<Member>> Member::join(runtime::Reactor& reactor, const GroupConfig& config,
                                               StateMachine& state_machine) {
  if (!reactor.status()) return std::unexpected(reactor.status().error());
  if (auto valid = validate(config); !valid) return std::unexpected(valid.error());
  std::unique_ptr<Member> member(new Member(reactor, config, state_machine));
  if (auto come = member->come(); !come) return std::unexpected(come.error());
  return member;
}

Expected<void> Member::come() {
  const std::uint64_t deadline_ns = reactor_.clock().now_ns() + config_.join_timeout_ns;
  auto mailbox = runtime::Mailbox::create(config_.mailbox_slots, config_.mailbox_payload_bytes);
  if (!mailbox) return std::unexpected(mailbox.error());
  mailbox_ = std::move(*mailbox);
  auto founds = connect();
  if (!founds) return std::unexpected(founds.error());
  take_arrivals();
  if (*founds) {
    if (auto settled = settle_idle_policy(); !settled) return settled;
    begin(founding(), true);
    state_machine_.view_installed(view_);
    return {};
  }
  auto first = await_welcome(deadline_ns);
  if (!first) return std::unexpected(first.error());
  if (auto settled = settle_idle_policy(); !settled) return settled;
  begin(*first, false);
  return await_state(deadline_ns);
}

/// True: all founders are here.
Expected<bool> Member::connect() {
  const auto nonce = runtime::random_word();
  const auto incarnation = runtime::random_word();
  if (!nonce) return std::unexpected(nonce.error());
  if (!incarnation) return std::unexpected(incarnation.error());
  nonce_ = *nonce;
  Introduction& mine = introductions_[my_link_];
  mine = {.nonce = nonce_,
          .host = runtime::host_identity(),
          .reactor = reactor_.identity(),
          .cpus = reactor_.cpus(),
          .settings = runtime::canonical_text(config_)};
  // Also called on the thread that meets others while the group runs.
  const auto examine = [settings = mine.settings, group = config_.name, members = config_.members](
                           std::uint32_t rank, const std::string& text) -> Expected<void> {
    auto theirs = Introduction::decode(text);
    if (!theirs) return std::unexpected(theirs.error());
    const std::string difference = runtime::first_difference(settings, theirs->settings);
    if (difference.empty()) return {};
    return fail(ErrorCode::mismatch,
                fmt::format("configurations of group '{}' differ: group.{} (at member '{}', rank "
                            "{}); make them equal",
                            group, difference, members[rank], rank));
  };
  // Everybody has a ring: a view whose senders have all died counts by somebody's turns, too.
  auto connection = transports::connect(config_,
                                        {.my_rank = my_link_,
                                         .region_bytes = region_bytes(config_.ring_bytes),
                                         .source_bytes = 2 * config_.ring_bytes,
                                         .memory = {.huge_pages = reactor_.config().huge_pages,
                                                    .lock = reactor_.config().lock_memory},
                                         .introduction = mine.encode(),
                                         .incarnation = *incarnation,
                                         .core = reactor_.config().core,
                                         .doorbell = reactor_.doorbell().descriptor()},
                                        examine);
  if (!connection) return std::unexpected(connection.error());
  transport_ = std::move(connection->transport);
  greeter_ = std::move(connection->greeter);
  return connection->founds;
}

Expected<void> Member::settle_idle_policy() {
  for (const std::string& notice : greeter_->notices()) reactor_.note(notice);
  for (const std::string& notice : transport_->notices()) reactor_.note(notice);
  const HostLoad load = host_load(introductions_, introductions_[my_link_].host);
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

/// The first view of all.
FirstView Member::founding() const {
  FirstView first{.view = 1, .layout = {}, .donors = {}};
  ordering::ViewLayout& layout = first.layout;
  layout.members = 0;
  layout.ring_bytes = config_.ring_bytes;
  layout.copy = first.view % transports::kRegionCopies;
  for (transports::LinkId link = 0; link < config_.members.size(); ++link) {
    const std::vector<std::string>& named = config_.founders;
    const bool founder =
        named.empty() || std::ranges::find(named, config_.members[link]) != named.end();
    if (!founder) continue;
    if (link == my_link_) layout.my_rank = layout.members;
    if (may_send(link)) layout.senders.push_back(layout.members);
    layout.links.push_back(link);
    layout.nonces.push_back(introductions_[link].nonce);
    ++layout.members;
  }
  // An order needs somebody's turns to count by, though he may have nothing to say.
  if (layout.senders.empty()) layout.senders.push_back(0);
  return first;
}

/// Begins when a link to every member of the view is here: one that was named may hear so from one
/// member before it has the answer of another. Who does not come so far in time begins without.
/// (model/admission.pml, MAY_BEGIN.)
Expected<FirstView> Member::await_welcome(std::uint64_t deadline_ns) {
  std::array<transports::LinkDown, 8> downs;
  std::uint64_t patience_ns = deadline_ns;
  while (true) {
    take_arrivals();
    if (auto status = greeter_->status(); !status) return std::unexpected(status.error());
    const std::size_t count = transport_->poll(downs);
    for (std::size_t i = 0; i < count; ++i) let_go(downs[i].link);
    const std::uint64_t now_ns = reactor_.clock().now_ns();
    auto first = find_welcome(*transport_, config_.ring_bytes, there_, my_link_, nonce_);
    if (first && still_runs(*first, met_in_)) {
      patience_ns = std::min(patience_ns, now_ns + config_.silence_timeout_ns / 2);
      const bool complete = std::ranges::all_of(first->layout.links, [&](transports::LinkId link) {
        return link == my_link_ || (there_ & bit(link)) != 0;
      });
      if (complete || now_ns >= patience_ns) return *first;
    }
    if (now_ns >= deadline_ns) return std::unexpected(not_in_time("did not take it in"));
    reactor_.idle(std::min(kLookNs, deadline_ns - now_ns));
  }
}

Error Member::not_in_time(const char* what) const {
  return {ErrorCode::timed_out,
          fmt::format("group '{}' runs, but {} as '{}' within {:.1f} s; see what its members say, "
                      "or raise group.join_timeout_ns{}",
                      config_.name, what, config_.self,
                      static_cast<double>(config_.join_timeout_ns) / 1e9, greeter_->hindrance())};
}

void Member::begin(const FirstView& first, bool has_state) {
  const runtime::TscClock& clock = reactor_.clock();
  has_state_ = has_state;
  MessageHandler& handler = has_state ? static_cast<MessageHandler&>(state_machine_) : catch_up_;
  views_ = std::make_unique<Views>(
      *transport_, first.layout, first.view, handler, *this,
      ViewsOptions{.observation = {.heartbeat_interval_ns = config_.heartbeat_interval_ns,
                                   .silence_timeout_ns = config_.silence_timeout_ns},
                   // Who may stall that long while nothing changes may do so in a change.
                   .agreement = {.patience_ns = config_.silence_timeout_ns,
                                 .doubt_ns = config_.heartbeat_interval_ns},
                   .wall_offset_ns = clock.wall_ns() - clock.now_ns(),
                   .has_state = has_state,
                   .donors = first.donors});
  order_ = &views_->order();
  make_counters();
  describe_view(first.view, first.layout);
  transfers_.installed(first.view, first.layout, first.donors, has_state_);
  if (transfers_.waits()) catch_up_.pause();
  if (!has_state_) catch_up_.view_installed(view_);
  takes_messages_changed(true);
  for (transports::LinkId link = 0; link < config_.members.size(); ++link) {
    if ((there_ & bit(link)) == 0) continue;
    views_->admit(link, introductions_[link].nonce, may_send(link));
  }
  show_standing();
  reactor_.attach(*views_);
}

Expected<void> Member::await_state(std::uint64_t deadline_ns) {
  while (!has_state_) {
    const auto out = [&](const std::string& why, ErrorCode code = ErrorCode::member_lost) {
      return fail(code, fmt::format("'{}' did not get into group '{}': {}", config_.self,
                                    config_.name, why));
    };
    if (const auto failure = transfers_.failure()) return out(failure->message, failure->code);
    if (catch_up_.overflowed()) {
      return out(fmt::format("while the state came, more than {} MiB of messages did",
                             CatchUp::kMostBytes >> 20U));
    }
    if (views_->is_evicted()) return out("the others went on without it before it had the state");
    const std::uint64_t now_ns = reactor_.clock().now_ns();
    if (now_ns >= deadline_ns) return std::unexpected(not_in_time("did not give it the state"));
    if (!reactor_.poll_once()) reactor_.idle(std::min(kLookNs, deadline_ns - now_ns));
  }
  return {};
}

/// The state has come: what was kept is told, and from then on the application hears everything at
/// once.
bool Member::catch_up() {
  if (!transfers_.received()) return false;
  if (!catch_up_.replay(state_machine_, kReplayedAtOnce)) return true;
  has_state_ = true;
  transfers_.caught_up();
  views_->deliver_to(state_machine_);
  views_->show_state();
  takes_messages_changed(views_->takes_messages());
  return true;
}

void Member::dial_for_state(transports::LinkId link) {
  greeter_->call(link, transports::Purpose::state);
}

// ---- who comes while the group runs ------------------------------------------------------------

void Member::take_arrivals() {
  for (transports::Arrival& arrival : greeter_->take()) {
    const bool same = incarnations_[arrival.link] == arrival.standing.incarnation;
    switch (arrival.purpose) {
      case transports::Purpose::link:
        meet(std::move(arrival));
        break;
      case transports::Purpose::mend:
        if (same) mend(std::move(arrival));
        break;
      case transports::Purpose::life_line:
        if (same) transport_->hold_life_line(arrival.link, std::move(arrival.life_line));
        break;
      case transports::Purpose::state:
        if (same) transfers_.arrived(arrival.link, std::move(arrival.state));
        break;
      case transports::Purpose::question:
        heed(arrival.standing);
        break;
    }
  }
}

void Member::meet(transports::Arrival&& arrival) {
  const transports::LinkId link = arrival.link;
  // Gone with its connection: whoever it was comes again.
  if (views_ && (views_->is_evicted() || !views_->is_free(link))) return;
  auto introduction = Introduction::decode(arrival.introduction);
  if (!introduction) return let_go(link);
  transport_->drop(link);  // of an incarnation that was never taken in
  if (auto adopted = transport_->adopt(std::move(arrival.newcomer)); !adopted) {
    reactor_.note(adopted.error().message);
    return let_go(link);
  }
  there_ |= bit(link);
  incarnations_[link] = arrival.standing.incarnation;
  met_in_[link] = arrival.standing.view;
  introductions_[link] = std::move(*introduction);
  choices_[link] = arrival.choice;
  if (!views_) return;
  views_->admit(link, introductions_[link].nonce, may_send(link));
}

/// Whoever has a quorum by now goes on without the link, or with the next view.
void Member::mend(transports::Arrival&& arrival) {
  const bool wanted = (broken_links() & bit(arrival.link)) != 0;
  if (!wanted) return greeter_->forget(arrival.link);
  choices_[arrival.link] = arrival.choice;
  if (auto mended = views_->mend(std::move(arrival.newcomer)); !mended) {
    reactor_.note(mended.error().message);
    greeter_->forget(arrival.link);
  }
  show_standing();
}

/// Links to members of the view that this one would make anew: with a quorum it needs none, since
/// the next view is at hand.
std::uint64_t Member::broken_links() const noexcept {
  const bool stuck = views_ && !view_.primary && !views_->is_evicted();
  return stuck ? views_->broken_links() : 0;
}

/// Of a link that no view uses.
void Member::let_go(transports::LinkId link) noexcept {
  there_ &= ~bit(link);
  incarnations_[link] = 0;
  met_in_[link] = 0;
  transport_->drop(link);
  greeter_->forget(link);
}

/// A member without a quorum that nobody told may have been left behind long ago.
void Member::heed(const transports::Standing& standing) noexcept {
  const bool later = views_ && standing.view > view_.id;
  if (!later || view_.primary || (standing.links & bit(my_link_)) != 0) return;
  views_->learn_of_eviction();
}

void Member::ask_around(std::uint64_t now_ns) {
  if (view_.primary || views_->is_evicted()) {
    asking_due_ns_ = now_ns + config_.silence_timeout_ns;
    return;
  }
  if (now_ns < asking_due_ns_) return;
  asking_due_ns_ = now_ns + kAskingNs;
  // In turns: who is in a later view answers a question, and mends nothing. The higher rank dials.
  mends_next_ = !mends_next_;
  for (transports::LinkId link = 0; link < config_.members.size(); ++link) {
    if (link == my_link_) continue;
    const bool mends = mends_next_ && link < my_link_ && (broken_links() & bit(link)) != 0;
    greeter_->call(link, mends ? transports::Purpose::mend : transports::Purpose::question);
  }
}

void Member::show_standing() noexcept {
  transports::Standing standing{.view = view_.id};
  for (const transports::LinkId link : links_) standing.links |= bit(link);
  const std::uint64_t all =
      (bit(static_cast<transports::LinkId>(config_.members.size()) - 1) << 1U) - 1;
  if (!views_->is_evicted()) standing.room = all & ~views_->links_in_use();
  const std::uint64_t broken = broken_links();
  const bool same = standing.view == standing_.view && standing.links == standing_.links &&
                    standing.room == standing_.room && broken == broken_;
  if (same) return;
  standing_ = standing;
  broken_ = broken;
  greeter_->show(standing, broken);
}

}  // namespace lockstep::membership
