#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "examples/matching_engine/hold.hpp"
#include "examples/matching_engine/pacing.hpp"
#include "examples/matching_engine/run.hpp"
#include "lockstep/group.hpp"
#include "lockstep/reactor.hpp"
#include "tools/launch/text.hpp"

namespace lockstep::examples {
namespace {

/// How often a member that only waits for others looks whether they are done.
constexpr std::uint64_t kLookNs = 1'000'000;
/// How many orders rank 0 publishes before it lets the loop turn: enough to batch, few enough that
/// the peers hear of them soon.
constexpr std::size_t kPublishBatch = 64;
/// How long a member goes on without a quorum.
constexpr std::uint64_t kQuorumPatienceNs = 3'000'000'000;

/// The engine, and what a member must notice beside it.
class EngineMember final : public StateMachine {
 public:
  /// `witness` is for a run in which a member is killed; null in others.
  EngineMember(std::uint32_t most_orders, launch::Histogram& latency, Witness* witness)
      : engine_(most_orders), latency_(latency), witness_(witness) {}

  void apply(const Message& message) override {
    engine_.apply(message);
    // The token is the time at which the order was due or published.
    if (message.mine && !engine_.finished()) latency_.record(now_ns() - message.token);
    if (witness_ != nullptr) witness_->applied();
  }

  void view_installed(const View& view) override {
    if (publisher_.empty()) publisher_ = view.members[0];
    if (view.members[0] != publisher_) end("the others went on without the publisher");
    if (witness_ != nullptr && view.members.size() < members_) {
      witness_->installed_without_the_lost();
    }
    members_ = view.members.size();
  }
  bool save(SnapshotWriter& writer) override { return engine_.save(writer); }
  void load(SnapshotReader& reader) override { engine_.load(reader); }
  void member_unreachable(const MemberUnreachable& lost) override {
    last_loss_ =
        fmt::format("member '{}' (rank {}) was lost: {}", lost.name, lost.rank, lost.reason);
    if (witness_ != nullptr) witness_->unreachable();
  }
  void quorum_lost(const View& view) override {
    quorum_lost_ns_ = now_ns();
    members_of_lost_ = view.members.size();
    view_of_lost_ = view.id;
  }
  void quorum_regained(const View& /*view*/) override { quorum_lost_ns_ = 0; }
  void evicted(const View& /*view*/) override { end("the others went on without this member"); }

  [[nodiscard]] const MatchingEngine& engine() const noexcept { return engine_; }
  /// Why the input will not be applied to its end, if so.
  [[nodiscard]] const std::optional<Error>& ended() {
    // On a machine that is busy members may lose sight of one another for a moment.
    if (quorum_lost_ns_ != 0 && now_ns() - quorum_lost_ns_ > kQuorumPatienceNs) {
      end(fmt::format("too few of the {} members of view {} are left", members_of_lost_,
                      view_of_lost_));
    }
    return ended_;
  }

 private:
  void end(const std::string& why) {
    if (ended_) return;
    ended_ = {ErrorCode::member_lost,
              fmt::format("{}{}{}", last_loss_, last_loss_.empty() ? "" : "; ", why)};
  }

  MatchingEngine engine_;
  launch::Histogram& latency_;
  Witness* witness_;
  std::size_t members_ = 0;
  std::string publisher_;
  std::string last_loss_;
  std::optional<Error> ended_;
  std::uint64_t quorum_lost_ns_ = 0;  ///< 0: there is one
  std::size_t members_of_lost_ = 0;
  std::uint64_t view_of_lost_ = 0;
};

/// Rank 0's side of the input: takes orders from the source and publishes those that are due.
class Publisher {
 public:
  Publisher(OrderSource& source, Pacing pacing, Hold hold)
      : source_(source), pacing_(pacing), hold_(hold) {}

  enum class Step : std::uint8_t { published, nothing_due, held, refused, complete };

  Expected<Step> step(Group& group) {
    if (ended_) return Step::complete;
    for (std::size_t i = 0; i < kPublishBatch; ++i) {
      if (hold_.holds(published_)) return i == 0 ? Step::held : Step::published;
      if (auto fetched = fetch(); !fetched) return std::unexpected(fetched.error());
      const std::uint64_t now = now_ns();
      if (pacing_.due_ns(next_.time_ns) > now && next_.kind != OrderKind::end_of_input) {
        return i == 0 ? Step::nothing_due : Step::published;
      }
      auto slot = group.claim(sizeof next_);
      if (!slot) {
        return i == 0 ? Step::refused : Step::published;
      }
      new (slot->data()) OrderMessage(next_);
      slot->publish(pacing_.paced() ? pacing_.due_ns(next_.time_ns) : now);
      has_next_ = false;
      if (next_.kind == OrderKind::end_of_input) {
        ended_ = true;
        return Step::published;
      }
      ++published_;
    }
    return Step::published;
  }

  /// How long nothing will be due; only after `nothing_due`.
  [[nodiscard]] std::uint64_t idle_ns() const {
    const std::uint64_t due = pacing_.due_ns(next_.time_ns);
    const std::uint64_t now = now_ns();
    return due > now ? due - now : 0;
  }

 private:
  /// Sees to it that `next_` is the order to publish next, the end of the input after the last.
  Expected<void> fetch() {
    if (has_next_) return {};
    if (at_ == count_) {
      const auto got = source_.next(orders_);
      if (!got) return std::unexpected(got.error());
      at_ = 0;
      count_ = *got;
    }
    next_ = at_ < count_ ? orders_[at_++]
                         : OrderMessage{.order_id = published_, .kind = OrderKind::end_of_input};
    has_next_ = true;
    return {};
  }

  OrderSource& source_;
  Pacing pacing_;
  Hold hold_;
  std::array<OrderMessage, 256> orders_;
  std::size_t at_ = 0;
  std::size_t count_ = 0;
  OrderMessage next_;
  bool has_next_ = false;
  bool ended_ = false;
  std::uint64_t published_ = 0;
};

Expected<void> publish_all(Reactor& reactor, Group& group, EngineMember& member,
                           Publisher publisher) {
  while (!member.engine().finished()) {
    const auto step = publisher.step(group);
    if (!step) return std::unexpected(step.error());
    const bool worked = reactor.poll_once();
    if (member.ended()) return std::unexpected(*member.ended());
    if (worked || *step == Publisher::Step::published) continue;
    reactor.idle(*step == Publisher::Step::nothing_due ? publisher.idle_ns() : kLookNs);
  }
  return {};
}

Expected<void> apply_all(Reactor& reactor, EngineMember& member) {
  while (!member.engine().finished()) {
    const bool worked = reactor.poll_once();
    if (member.ended()) return std::unexpected(*member.ended());
    if (!worked) reactor.idle();
  }
  return {};
}

/// Whether every member of the view, and whoever is killed to come back, has applied the end.
bool all_over(const View& view, const Options& options, const SharedRun& shared) {
  const std::vector<std::string>& names = options.config.group.members;
  for (std::uint32_t rank = 0; rank < options.members; ++rank) {
    const bool awaited =
        options.kill == rank || std::ranges::find(view.members, names[rank]) != view.members.end();
    if (awaited && seen(shared.sightings[rank].over) == 0) return false;
  }
  return true;
}

/// Keeps the loop turning until all have applied the end: leaving earlier would look like a loss to
/// those behind. Once a majority has left, everybody was done.
void wait_for_all(Reactor& reactor, const Group& group, EngineMember& member,
                  const Options& options, const SharedRun& shared) {
  while (!member.ended()) {
    if (all_over(group.view(), options, shared) && group.drained()) return;
    if (!reactor.poll_once()) reactor.idle(kLookNs);
  }
}

Expected<void> live(std::uint32_t rank, OrderSource& source, const FlowSummary& summary,
                    const Options& options, SharedRun& shared) {
  MemberResult& result = shared.results[rank];
  ReactorConfig reactor_config = options.config.reactor;
  if (!options.cores.empty()) reactor_config.core = options.cores[rank];
  if (!reactor_config.counters_file.empty()) {
    reactor_config.counters_file += fmt::format(".{}", rank);
  }
  GroupConfig group_config = options.config.group;
  group_config.self = group_config.members[rank];

  Sighting& sees = shared.sightings[rank];
  Witness witness(sees, shared.kill[0]);
  EngineMember member(options.book_orders, result.latency, options.kill ? &witness : nullptr);
  Reactor reactor(reactor_config);
  auto group = Group::join(reactor, group_config, member);
  if (!group) return std::unexpected(group.error());
  sees.orders_got = member.engine().counts().orders;
  show(sees.joined_ns, now_ns());
  launch::store_text(result.idle, to_string(reactor.idle_policy()));
  launch::store_text(result.notices, fmt::format("{}", fmt::join(reactor.notices(), "\n")));

  const std::uint64_t start_ns = now_ns();
  const Pacing pacing(options.speed_up, summary.first_time_ns, start_ns);
  auto ran = rank == 0 ? publish_all(reactor, *group, member,
                                     Publisher(source, pacing, Hold(summary, options, shared)))
                       : apply_all(reactor, member);
  if (!ran) return ran;
  result.wall_ns = now_ns() - start_ns;
  show(sees.over, 1);
  wait_for_all(reactor, *group, member, options, shared);
  result.digest = member.engine().digest();
  result.counts = member.engine().counts();
  result.resting_orders = member.engine().book().size();
  result.finished = true;
  return {};
}

}  // namespace

int run_member(std::uint32_t rank, OrderSource& source, const FlowSummary& summary,
               const Options& options, SharedRun& shared) {
  const auto lived = live(rank, source, summary, options, shared);
  if (lived) return EXIT_SUCCESS;
  show(shared.sightings[rank].over, 1);
  launch::store_text(shared.results[rank].complaint, lived.error().message);
  return EXIT_FAILURE;
}

}  // namespace lockstep::examples
