#include <fmt/format.h>

#include <array>
#include <span>

#include "lockstep/lockstep.hpp"
#include "runtime/clock.hpp"
#include "tests/processes/member_log.hpp"
#include "tools/launch/text.hpp"
#include "tools/sim/payload.hpp"

namespace lockstep::test {
namespace {

constexpr std::uint64_t kLeaveTimeoutNs = 20'000'000'000;
constexpr std::size_t kMostPayload = 256;

/// A payload is its sender's number, its id, and as many bytes as its id says.
std::span<const std::byte> fill(std::array<std::byte, kMostPayload>& room, std::uint32_t sender,
                                std::uint64_t id) {
  const std::uint64_t head[2] = {sender, id};
  const std::size_t bytes = sizeof head + id * 37 % (kMostPayload - sizeof head);
  std::memcpy(room.data(), head, sizeof head);
  std::fill(room.begin() + sizeof head, room.begin() + static_cast<std::ptrdiff_t>(bytes),
            static_cast<std::byte>(id));
  return std::span(room).first(bytes);
}

/// Writes down what one member does and sees.
class Logger final : public StateMachine {
 public:
  Logger(const GroupConfig& config, MemberLog& log)
      : config_(config), log_(log), me_(number_of(config.self)) {}

  void apply(const Message& message) override {
    std::uint64_t head[2] = {~std::uint64_t{0}, 0};
    std::memcpy(head, message.payload.data(), std::min(sizeof head, message.payload.size()));
    const std::uint32_t sender = sender_of(message);
    add({.at_ns = clock_.now_ns(),
         .kind = LogKind::delivered,
         .sender = sender,
         .id = message.mine ? message.token : head[1],
         .sequence = message.sequence,
         .timestamp_ns = message.timestamp_ns,
         .bytes = message.payload.size(),
         .hash = sim::payload_hash(message.payload)});
    announce(log_.delivered, log_.delivered + 1);
    if (sender < kMostMembers) announce(log_.delivered_of[sender], log_.delivered_of[sender] + 1);
  }

  void view_installed(const View& view) override {
    if (!view.primary) misled_ = true;
    view_ = view;
    log_.view_members = mask_of(view);
    log_.installed_ns = clock_.now_ns();
    add({.at_ns = log_.installed_ns,
         .kind = LogKind::installed,
         .sequence = view.id,
         .members = log_.view_members});
    announce(log_.view, view.id);
  }
  void member_unreachable(const MemberUnreachable& lost) override {
    const std::uint32_t number = number_of(lost.name);
    log_.last_lost |= std::uint64_t{1} << number;
    if (log_.losses == 0) {
      log_.lost = number;
      launch::store_text(log_.lost_name, lost.name);
      launch::store_text(log_.lost_reason, lost.reason);
    }
    announce(log_.losses, log_.losses + 1);
  }
  void quorum_lost(const View& view) override {
    if (view.primary) misled_ = true;
    announce(log_.quorums_lost, log_.quorums_lost + 1);
  }
  void quorum_regained(const View& view) override {
    if (!view.primary) misled_ = true;
    announce(log_.quorums_regained, log_.quorums_regained + 1);
  }
  void evicted(const View& /*view*/) override {
    add({.at_ns = clock_.now_ns(), .kind = LogKind::evicted});
    announce(log_.evictions, log_.evictions + 1);
  }

  /// False if it cannot now. Logged first: a member may die in between.
  bool publish_one(Group& group) {
    if (log_.count >= kMostEntries / 4) return false;  // room for what the others publish
    const std::span<const std::byte> payload = fill(room_, me_, log_.published);
    const auto slot = group.claim(payload.size());
    announce(log_.refusal, slot ? 0 : 1 + static_cast<std::uint64_t>(slot.error().outcome));
    if (!slot) return false;
    std::ranges::copy(payload, slot->data());
    add({.at_ns = clock_.now_ns(),
         .kind = LogKind::published,
         .id = log_.published,
         .bytes = payload.size(),
         .hash = sim::payload_hash(payload)});
    slot->publish(log_.published);
    announce(log_.published, log_.published + 1);
    return true;
  }

  [[nodiscard]] std::uint64_t now_ns() const { return clock_.now_ns(); }
  [[nodiscard]] bool overflowed() const { return overflowed_; }
  /// A view was primary without a quorum, or the other way round.
  [[nodiscard]] bool misled() const { return misled_; }

 private:
  [[nodiscard]] std::uint32_t number_of(const std::string& name) const {
    const auto found = std::ranges::find(config_.members, name);
    return static_cast<std::uint32_t>(found - config_.members.begin());
  }
  [[nodiscard]] std::uint32_t sender_of(const Message& message) const {
    if (message.sender >= view_.members.size()) return kMostMembers;
    return number_of(view_.members[message.sender]);
  }
  [[nodiscard]] std::uint64_t mask_of(const View& view) const {
    std::uint64_t mask = 0;
    for (const std::string& name : view.members) mask |= std::uint64_t{1} << number_of(name);
    return mask;
  }
  void add(const LogEntry& entry) {
    if (log_.count == kMostEntries) {
      overflowed_ = true;
      return;
    }
    log_.entries[log_.count] = entry;
    announce(log_.count, log_.count + 1);
  }

  const GroupConfig& config_;
  MemberLog& log_;
  const std::uint32_t me_;
  const runtime::TscClock clock_;
  View view_;
  std::array<std::byte, kMostPayload> room_{};
  bool overflowed_ = false;
  bool misled_ = false;
};

int leave(Group& group) {
  const auto left = group.leave(kLeaveTimeoutNs);
  if (left) return 0;
  fmt::print(stderr, "{}\n", left.error().message);
  return 3;
}

}  // namespace

int run_logging_member(const GroupConfig& config, const Load& load, MemberLog& log,
                       Orders& orders) {
  Reactor reactor({.idle = IdlePolicy::backoff});
  Logger logger(config, log);
  auto group = Group::join(reactor, config, logger);
  if (!group) {
    fmt::print(stderr, "{}\n", group.error().message);
    return 1;
  }
  std::uint64_t due_ns = 0;
  while (heard(orders.end) == 0) {
    if (load.leave_after != 0 && log.delivered >= load.leave_after) return leave(*group);
    const bool publishes = heard(orders.quiet) == 0 && log.published < load.messages;
    const std::uint64_t now_ns = logger.now_ns();
    if (publishes && now_ns >= due_ns && logger.publish_one(*group)) due_ns = now_ns + load.pace_ns;
    // Poll rather than sleep long: orders ring no bell.
    if (!reactor.poll_once()) reactor.idle(kMillisecond);
  }
  if (logger.misled()) return 4;
  return logger.overflowed() ? 2 : 0;
}

}  // namespace lockstep::test
