#include "examples/cart/member.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "examples/cart/cart.hpp"
#include "lockstep/lockstep.hpp"

namespace lockstep::examples {
namespace {

constexpr std::uint64_t kLookNs = 1'000'000;
constexpr std::uint64_t kLeaveTimeoutNs = 10'000'000'000;

/// Who puts what, and when: each put waits for the one before it.
class Player {
 public:
  explicit Player(const Part& part) : part_(part) {}

  void play(Reactor& reactor, Group& group, const Cart& cart) {
    const std::uint64_t view = cart.view().id;
    switch (part_.place) {
      case 0:
        if (puts_ == 0) puts_ += put(group, 5) ? 1 : 0;
        // Pairs with the acquire in await_cue.
        if (view == 2) std::atomic_ref(part_.cue).store(1, std::memory_order_release);
        break;
      case 1:
        if (cart.value() == 10) die_in_the_middle_of_put_20(reactor, group);
        break;
      case 2:
        if (puts_ == 0 && cart.value() == 5) puts_ += put(group, 10) ? 1 : 0;
        break;
      default:
        if (puts_ == 0 && view == 3) puts_ += put(group, 30) ? 1 : 0;
    }
  }

 private:
  void die_in_the_middle_of_put_20(Reactor& reactor, Group& group) {
    if (!put(group, 20)) return;
    part_.transcript.tell(Step::crash, "P2 dies in the middle of PUT cart 20, {}",
                          part_.crash == Crash::early ? "before any byte of it has left P2"
                                                      : "after its bytes have left P2");
    // The turn after publish is what puts a message on the links.
    if (part_.crash == Crash::late) reactor.poll_once();
    ::kill(::getpid(), SIGKILL);
  }

  const Part& part_;
  int puts_ = 0;
};

/// Who starts this process bounds the wait: it ends all of them at its deadline.
void await_cue(std::uint64_t& cue) {
  const timespec look{.tv_sec = 0, .tv_nsec = kLookNs};
  // Pairs with the release in Player::play.
  while (std::atomic_ref(cue).load(std::memory_order_acquire) == 0) ::nanosleep(&look, nullptr);
}

Expected<void> live(const GroupConfig& config, const Part& part) {
  Cart cart(part.transcript);
  Reactor reactor({.idle = IdlePolicy::backoff, .huge_pages = HugePages::never});
  auto group = Group::join(reactor, config, cart);
  if (!group) return std::unexpected(group.error());
  Player player(part);
  while (cart.value() != 30) {
    player.play(reactor, *group, cart);
    if (!reactor.poll_once()) reactor.idle(kLookNs);
  }
  while (!group->drained()) {
    if (!reactor.poll_once()) reactor.idle(kLookNs);
  }
  return group->leave(kLeaveTimeoutNs);
}

}  // namespace

int run_member(const GroupConfig& config, const Part& part) {
  GroupConfig own = config;
  own.self = config.members[part.place];
  // Who is no founder comes when the others have gone on without P2.
  if (part.place >= config.founders.size()) await_cue(part.cue);
  const auto lived = live(own, part);
  if (lived) return EXIT_SUCCESS;
  fmt::print(stderr, "cart: {}: {}\n", own.self, lived.error().message);
  return EXIT_FAILURE;
}

}  // namespace lockstep::examples
