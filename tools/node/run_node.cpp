#include "tools/node/run_node.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include "tools/node/gateway.hpp"
#include "tools/node/make_application.hpp"
#include "tools/node/node_member.hpp"
#include "tools/node/served_application.hpp"
#include "tools/node/stop_request.hpp"

namespace lockstep::node {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kLeaveTimeoutNs = 5'000 * kMillisecond;
/// For what clients have been promised an answer to.
constexpr std::uint64_t kAnswerTimeoutNs = 2'000 * kMillisecond;
constexpr std::uint64_t kFirstPauseNs = 100 * kMillisecond;
constexpr std::uint64_t kLongestPauseNs = 5'000 * kMillisecond;
/// A process that was killed is gone when its memory is freed: well below a second.
constexpr std::uint64_t kTakenPatienceNs = 5'000 * kMillisecond;

constexpr std::string_view kUnknownOutcome =
    "this member left its group before it saw what became of the request: it may or may not have "
    "been applied; ask another member";

std::uint64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

void pause(std::uint64_t ns) {
  timespec time{.tv_sec = static_cast<time_t>(ns / 1'000'000'000),
                .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
  ::nanosleep(&time, nullptr);
}

/// When to try again what failed, and when to give up.
class Attempts {
 public:
  /// How long to wait before the next attempt; nothing: there is none.
  std::optional<std::uint64_t> pause_after(ErrorCode code) {
    if (!may_go_away(code)) return std::nullopt;
    const std::uint64_t pause_ns = pause_ns_;
    pause_ns_ = std::min(2 * pause_ns_, kLongestPauseNs);
    return pause_ns;
  }
  void succeeded() {
    was_member_ = true;
    pause_ns_ = kFirstPauseNs;
  }

 private:
  /// The others may come, or find out about this member's former self, a little later. A name that
  /// stays taken is somebody else's; and what the system refuses from the beginning, it will go on
  /// to refuse.
  [[nodiscard]] bool may_go_away(ErrorCode code) const {
    switch (code) {
      case ErrorCode::member_absent:
      case ErrorCode::member_lost:
      case ErrorCode::timed_out:
        return true;
      case ErrorCode::identity_in_use:
        return was_member_ || now_ns() - began_ns_ < kTakenPatienceNs;
      case ErrorCode::system:
        return was_member_;
      default:
        return false;
    }
  }

  const std::uint64_t began_ns_ = now_ns();
  bool was_member_ = false;
  std::uint64_t pause_ns_ = kFirstPauseNs;
};

void tell_of_pause(const NodeMember& member, const Error& error, std::uint64_t pause_ns) {
  member.tell(fmt::format("{}; trying again in {:.1f} s", error.message,
                          static_cast<double>(pause_ns) / 1e9));
}

/// One member of one group, from joining to leaving or being evicted.
class Incarnation {
 public:
  Incarnation(const NodeConfig& config, ServedApplication& served, NodeMember& member,
              StopRequest& stop)
      : config_(config), served_(served), member_(member), stop_(stop) {}

  /// Errors: those of joining.
  Expected<void> join() {
    member_.begin();
    reactor_.emplace(config_.member.reactor);
    auto joined = Group::join(*reactor_, config_.member.group, member_);
    if (!joined) {
      reactor_.reset();
      return std::unexpected(joined.error());
    }
    group_.emplace(std::move(*joined));
    for (const std::string& notice : reactor_->notices()) member_.tell(notice);
    return {};
  }

  /// Until a stop is requested or the member is evicted. Errors: those of leaving.
  Expected<void> live() {
    stop_.wakes(&*reactor_);
    served_.open(*group_);
    while (!stop_.made() && !member_.is_evicted()) {
      if (!reactor_->poll_once()) reactor_->idle();
    }
    served_.close(stop_.made() ? "this member leaves its group; ask another one"
                               : "this member was evicted and joins its group again; try again, or "
                                 "ask another one");
    Expected<void> left;
    if (stop_.made() && !member_.is_evicted()) {
      settle();
      member_.tell("leaving");
      left = group_->leave(kLeaveTimeoutNs);
    }
    served_.give_up(kUnknownOutcome);
    // From here on there is no group: a signal ends the process.
    stop_.wakes(nullptr);
    group_.reset();
    reactor_.reset();
    return left;
  }

 private:
  /// Lets what clients asked for be applied, and what was sent be delivered by all.
  void settle() {
    const std::uint64_t deadline_ns = now_ns() + kAnswerTimeoutNs;
    while (!member_.is_evicted() && !(served_.all_answered() && group_->drained()) &&
           now_ns() < deadline_ns) {
      if (!reactor_->poll_once()) reactor_->idle(kMillisecond);
    }
  }

  const NodeConfig& config_;
  ServedApplication& served_;
  NodeMember& member_;
  StopRequest& stop_;
  std::optional<Reactor> reactor_;
  std::optional<Group> group_;
};

/// Joins, and joins again after an eviction or what may go away, until a stop is requested.
Expected<void> live(const NodeConfig& config, ServedApplication& served, NodeMember& member,
                    StopRequest& stop) {
  const GroupConfig& group = config.member.group;
  Attempts attempts;
  for (;;) {
    member.tell(fmt::format("joining group '{}' of {}", group.name, fmt::join(group.members, " ")));
    Incarnation incarnation(config, served, member, stop);
    if (auto joined = incarnation.join(); !joined) {
      const auto pause_ns = attempts.pause_after(joined.error().code);
      if (!pause_ns) return joined;
      tell_of_pause(member, joined.error(), *pause_ns);
      pause(*pause_ns);
      continue;
    }
    attempts.succeeded();
    if (auto lived = incarnation.live(); !lived) return lived;
    if (stop.made()) return {};
    pause(kFirstPauseNs);
  }
}

/// A process that was killed just now may hold the place for a moment more.
Expected<Descriptor> listen_patiently(const Address& address, const NodeMember& member) {
  Attempts attempts;
  for (;;) {
    auto listener = listen_at(address);
    if (listener) return listener;
    const auto pause_ns = attempts.pause_after(listener.error().code);
    if (!pause_ns) return listener;
    tell_of_pause(member, listener.error(), *pause_ns);
    pause(*pause_ns);
  }
}

}  // namespace

Expected<void> run_node(const NodeConfig& config) {
  Bell bell;
  if (!bell.open()) return fail(ErrorCode::system, "cannot make an eventfd: too many open files?");
  auto application = make_application(config);
  if (!application) return std::unexpected(application.error());
  ServedApplication served(bell, **application);
  NodeMember member(config.member.group.self, served);
  auto listener = listen_patiently(config.listen, member);
  if (!listener) return std::unexpected(listener.error());
  StopRequest stop([&](bool again) {
    member.tell(again ? "asked to end twice: ended without leaving" : "ended before it had joined");
    if (config.listen.is_path) ::unlink(config.listen.text.c_str());
    ::_exit(again ? EXIT_FAILURE : EXIT_SUCCESS);
  });
  if (auto opened = stop.open(); !opened) return opened;
  member.tell(fmt::format("process {} serves clients at {}", ::getpid(), config.listen.text));
  const Gateway gateway(config.listen, std::move(*listener), bell, served,
                        {.signals = stop.descriptor(), .on_signal = [&] { stop.accept(); }});
  auto lived = live(config, served, member, stop);
  if (lived) member.tell("left in good order");
  return lived;
}

}  // namespace lockstep::node
