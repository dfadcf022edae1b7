#include "tests/processes/ledger_group.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <optional>
#include <span>

#include "runtime/entropy.hpp"
#include "tests/processes/group_fixture.hpp"
#include "tests/processes/ledger.hpp"
#include "tests/processes/member_log.hpp"

namespace lockstep::test {
namespace {

/// The process of one member.
class LedgerMember {
 public:
  LedgerMember(const GroupConfig& config, const LedgerOptions& options, LedgerWords& words,
               LedgerOrders& orders)
      : config_(config), options_(options), words_(words), orders_(orders) {}

  int run() {
    while (true) {
      const Ended ended = live();
      if (ended == Ended::in_order) return 0;
      if (ended == Ended::badly) return 3;
      if (ended == Ended::state_refused) return 5;
      if (++attempts_ > 100) return 4;
      pause();
    }
  }

 private:
  enum class Ended { in_order, badly, evicted, not_in, state_refused };

  Ended live() {
    Reactor reactor({.idle = IdlePolicy::backoff});
    Ledger ledger(options_.ballast_bytes);
    ledger.refuses_to_load = options_.refuses_to_load;
    auto group = Group::join(reactor, config_, ledger);
    if (!group) {
      fmt::print(stderr, "{}: {}\n", config_.self, group.error().message);
      announce(words_.failed, words_.failed + 1);
      if (heard(orders_.end) != 0) return Ended::in_order;
      const bool refused = group.error().code == ErrorCode::state_refused;
      return refused ? Ended::state_refused : Ended::not_in;
    }
    incarnation_ = runtime::random_word().value();
    announce(words_.published, 0);
    words_.loads += ledger.loads();
    tell(ledger);
    announce(words_.joined, words_.joined + 1);
    last_ns_ = 0;
    while (heard(orders_.end) == 0) {
      if (heard(orders_.leave) != 0)
        return group->leave(20 * kSecond) ? Ended::in_order : Ended::badly;
      if (ledger.evictions() > 0) {
        announce(words_.evictions, words_.evictions + 1);
        return Ended::evicted;
      }
      publish(*group);
      if (!reactor.poll_once()) reactor.idle(kMillisecond);
      tell(ledger);
    }
    return Ended::in_order;
  }

  void publish(Group& group) {
    const std::uint64_t now_ns = clock_.now_ns();
    if (heard(orders_.quiet) != 0 || now_ns < due_ns_) return;
    const auto slot = group.claim(sizeof(Ledger::Record));
    if (!slot) return;
    const Ledger::Record record{.incarnation = incarnation_, .number = words_.published};
    std::memcpy(slot->data(), &record, sizeof record);
    slot->publish();
    announce(words_.published, words_.published + 1);
    due_ns_ = now_ns + options_.pace_ns;
  }

  void tell(const Ledger& ledger) {
    const std::uint64_t now_ns = clock_.now_ns();
    if (ledger.applied() != words_.applied) {
      if (last_ns_ != 0) words_.longest_gap_ns = std::max(words_.longest_gap_ns, now_ns - last_ns_);
      last_ns_ = now_ns;
    }
    words_.digest = ledger.digest();
    words_.faults = ledger.faults();
    words_.quorums_lost = ledger.quorums_lost();
    for (std::size_t place = 0; place < config_.members.size(); ++place) {
      const bool named = ledger.slow().contains(config_.members[place] + ',');
      if (named) words_.slow |= std::uint64_t{1} << place;
    }
    announce(words_.own_applied, ledger.applied_of(incarnation_));
    announce(words_.applied, ledger.applied());
    if (ledger.view().id == words_.view) return;
    words_.members = 0;
    for (const std::string& name : ledger.view().members) {
      words_.members |= std::uint64_t{1}
                        << (std::ranges::find(config_.members, name) - config_.members.begin());
    }
    announce(words_.view, ledger.view().id);
  }

  static void pause() { usleep(100'000); }

  const GroupConfig& config_;
  const LedgerOptions& options_;
  LedgerWords& words_;
  LedgerOrders& orders_;
  const runtime::TscClock clock_;
  std::uint64_t incarnation_ = 0;
  std::uint64_t due_ns_ = 0;
  std::uint64_t last_ns_ = 0;
  int attempts_ = 0;
};

}  // namespace

LedgerGroup::LedgerGroup(GroupConfig config, LedgerOptions options, Start start)
    : config_(std::move(config)),
      options_(options),
      start_(std::move(start)),
      words_(launch::SharedArray<LedgerWords>::create(config_.members.size()).value()),
      orders_(launch::SharedArray<LedgerOrders>::create(config_.members.size()).value()),
      processes_(config_.members.size()) {}

void LedgerGroup::start(std::uint32_t member, const LedgerOptions& options) {
  words_[member] = {};
  orders_[member].leave = 0;
  const auto body = [&, member] {
    GroupConfig own = config_;
    own.self = config_.members[member];
    return LedgerMember(own, options, words_[member], orders_[member]).run();
  };
  auto started = start_ ? start_(member, body) : Child::start(body);
  ASSERT_TRUE(started) << started.error().message;
  processes_[member].push_back(std::move(*started));
}

bool LedgerGroup::start_all(const std::vector<std::uint32_t>& members) {
  for (const std::uint32_t member : members) start(member);
  return wait_for(members);
}

void LedgerGroup::signal(std::uint32_t member, int number) const {
  ASSERT_EQ(::kill(processes_[member].back().pid(), number), 0);
}

int LedgerGroup::wait_for_end(std::uint32_t member) {
  const auto code = processes_[member].back().wait(40 * kSecond);
  EXPECT_TRUE(code) << member << ": " << code.error().message << "; " << state();
  return code ? *code : -1;
}

void LedgerGroup::expect_to_leave(std::uint32_t member) {
  announce(orders_[member].leave, 1);
  EXPECT_EQ(wait_for_end(member), 0) << member;
}

bool LedgerGroup::wait_until(const std::function<bool()>& done, std::uint64_t seconds) const {
  const std::uint64_t deadline_ns = clock_.now_ns() + seconds * kSecond;
  while (!done()) {
    if (clock_.now_ns() > deadline_ns) {
      fmt::print(stderr, "{}\n", state());
      return false;
    }
    usleep(2'000);
  }
  return true;
}

bool LedgerGroup::wait_for(const std::vector<std::uint32_t>& members) const {
  std::uint64_t mask = 0;
  for (const std::uint32_t member : members) mask |= std::uint64_t{1} << member;
  const bool there = wait_until([&] {
    return std::ranges::all_of(members, [&](std::uint32_t member) {
      return heard(words(member).joined) > 0 && heard(words(member).view) > 0 &&
             words(member).members == mask;
    });
  });
  std::vector<std::uint64_t> goals;
  for (const std::uint32_t member : members) goals.push_back(heard(words(member).applied) + 50);
  return there && wait_until([&] {
           for (std::size_t i = 0; i < members.size(); ++i) {
             if (heard(words(members[i]).applied) < goals[i]) return false;
           }
           return true;
         });
}

void LedgerGroup::expect_to_settle(const std::vector<std::uint32_t>& members) {
  for (std::size_t member = 0; member < orders_.size(); ++member)
    announce(orders_[member].quiet, 1);
  EXPECT_TRUE(wait_until([&] {
    return std::ranges::all_of(members, [&](std::uint32_t member) {
      LedgerWords& its = words(member);
      return heard(its.own_applied) == heard(its.published) &&
             heard(its.applied) == heard(words(members[0]).applied);
    });
  }));
  for (std::size_t member = 0; member < orders_.size(); ++member) announce(orders_[member].end, 1);
  for (const std::uint32_t member : members) {
    EXPECT_EQ(wait_for_end(member), 0) << member;
    EXPECT_EQ(words(member).faults, 0u) << member;
    EXPECT_EQ(words(member).digest, words(members[0]).digest) << member;
  }
  if (testing::Test::HasFailure()) fmt::print(stderr, "{}\n", state());
}

std::string LedgerGroup::state() const {
  std::string text;
  for (std::uint32_t member = 0; member < words_.size(); ++member) {
    LedgerWords& its = words(member);
    text += fmt::format(
        "member {}: joined {} (failed {}), view {} of {:b}, applied {} ({:x}), published {}, own "
        "{}, "
        "loads {}, faults {}, quorums lost {}, evictions {}, slow {:b}\n",
        member, heard(its.joined), its.failed, heard(its.view), its.members, heard(its.applied),
        its.digest, its.published, its.own_applied, its.loads, its.faults, its.quorums_lost,
        its.evictions, its.slow);
  }
  return text;
}

}  // namespace lockstep::test
