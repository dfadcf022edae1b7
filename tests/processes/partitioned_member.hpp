#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "lockstep/lockstep.hpp"
#include "runtime/clock.hpp"
#include "tests/processes/group_fixture.hpp"

// A member of a partitioned group: a process that publishes, and tells its test what it sees.

namespace lockstep::test {

inline constexpr std::uint32_t kMembers = 3;
inline constexpr std::uint64_t kMostMessages = 5'000;  ///< of one member
inline constexpr std::uint64_t kMillisecond = 1'000'000;

/// What every member of a test does: it publishes `messages`, one each `pace_ns` at most.
struct Load {
  std::uint64_t messages;
  std::uint64_t pace_ns = 0;
  std::uint64_t ring_bytes = 1 << 16;
  std::uint64_t silence_timeout_ns = 30 * kSecond;

  [[nodiscard]] std::uint64_t all() const { return kMembers * messages; }
};

/// What a member tells the test while it runs; still there if it is killed. Words that announce
/// what was written before them are stored with release and loaded with acquire.
struct Told {
  std::uint64_t applied;  ///< announces `order`
  std::uint64_t corrupt;  ///< messages other than what their sender published next
  std::uint64_t losses;   ///< announces `lost_rank`, `lost_name` and `lost_reason`
  std::uint64_t refusal;  ///< 1 + the Outcome of a claim after a loss
  std::uint64_t lost_rank;
  char lost_name[16];
  char lost_reason[64];
  std::uint64_t order[kMembers * kMostMessages];  ///< sequence × 64 + sender
};

inline void announce(std::uint64_t& word, std::uint64_t value) {
  std::atomic_ref(word).store(value, std::memory_order_release);
}

inline std::uint64_t heard(std::uint64_t& word) {
  return std::atomic_ref(word).load(std::memory_order_acquire);
}

template <std::size_t size>
void copy_text(char (&to)[size], const std::string& text) {
  std::memcpy(to, text.data(), std::min(text.size(), size - 1));
}

/// Writes down what one member sees of its group.
class Teller final : public StateMachine {
 public:
  explicit Teller(Told& told) : told_(told) {}

  void apply(const Message& message) override {
    const std::uint64_t expected[2] = {message.sender, next_of_[message.sender]++};
    const bool whole = message.payload.size() == sizeof expected &&
                       std::memcmp(message.payload.data(), expected, sizeof expected) == 0;
    if (!whole) ++told_.corrupt;
    told_.order[told_.applied] = message.sequence * kMaxMembers + message.sender;
    announce(told_.applied, told_.applied + 1);
  }
  void member_lost(const MemberLost& lost) override {
    if (told_.losses == 0) {
      told_.lost_rank = lost.rank;
      copy_text(told_.lost_name, lost.name);
      copy_text(told_.lost_reason, lost.reason);
    }
    announce(told_.losses, told_.losses + 1);
  }

 private:
  Told& told_;
  std::uint64_t next_of_[kMembers] = {};
};

inline bool publish_one(Group& group, std::uint64_t number) {
  const std::uint64_t words[2] = {group.view().my_rank, number};
  const auto slot = group.claim(sizeof words);
  if (!slot) return false;
  std::memcpy(slot->data(), words, sizeof words);
  slot->publish();
  return true;
}

/// A member, until it is told to leave: one that left earlier would be a loss of its own.
inline int run_member(const GroupConfig& config, const Load& load, Told& told,
                      std::uint64_t& leave) {
  Reactor reactor({.idle = IdlePolicy::backoff});
  Teller teller(told);
  auto group = Group::join(reactor, config, teller);
  if (!group) {
    fmt::print(stderr, "{}\n", group.error().message);
    return 1;
  }
  const runtime::TscClock clock;
  std::uint64_t published = 0;
  std::uint64_t due_ns = 0;
  while (heard(leave) == 0) {
    const std::uint64_t now_ns = clock.now_ns();
    if (published < load.messages && now_ns >= due_ns && publish_one(*group, published)) {
      ++published;
      due_ns = now_ns + load.pace_ns;
    }
    if (told.losses > 0 && told.refusal == 0) {
      const auto claimed = group->claim(8);
      if (claimed) return 2;
      announce(told.refusal, 1 + static_cast<std::uint64_t>(claimed.error().outcome));
    }
    // Poll rather than sleep long: `leave` rings no bell.
    if (!reactor.poll_once()) reactor.idle(kMillisecond);
  }
  return 0;
}

}  // namespace lockstep::test
