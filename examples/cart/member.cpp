#include "examples/cart/member.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "examples/cart/cart.hpp"
#include "lockstep/lockstep.hpp"

namespace lockstep::examples {
namespace {

constexpr std::uint64_t kLookNs = 1'000'000;
constexpr std::uint64_t kLeaveTimeoutNs = 10'000'000'000;

/// Who puts what, and when: each put waits for the one before it.
class Part {
 public:
  Part(std::uint32_t rank, Crash crash, Transcript& transcript)
      : rank_(rank), crash_(crash), transcript_(transcript) {}

  void play(Reactor& reactor, Group& group, const Cart& cart) {
    if (rank_ == 0 && puts_ == 0) puts_ += put(group, 5) ? 1 : 0;
    if (rank_ == 2 && puts_ == 0 && cart.value() == 5) puts_ += put(group, 10) ? 1 : 0;
    if (rank_ == 1 && cart.value() == 10) die_in_the_middle_of_put_20(reactor, group);
    if (rank_ == 0 && puts_ == 1 && cart.view().id == 2) puts_ += put(group, 30) ? 1 : 0;
  }

 private:
  void die_in_the_middle_of_put_20(Reactor& reactor, Group& group) {
    if (!put(group, 20)) return;
    transcript_.tell(Step::crash, "P2 dies in the middle of PUT cart 20, {}",
                     crash_ == Crash::early ? "before any byte of it has left P2"
                                            : "after its bytes have left P2");
    // The turn after publish is what puts a message on the links.
    if (crash_ == Crash::late) reactor.poll_once();
    ::kill(::getpid(), SIGKILL);
  }

  std::uint32_t rank_;
  Crash crash_;
  Transcript& transcript_;
  int puts_ = 0;
};

Expected<void> live(const GroupConfig& config, std::uint32_t rank, Crash crash,
                    Transcript& transcript) {
  Cart cart(transcript);
  Reactor reactor({.idle = IdlePolicy::backoff, .huge_pages = HugePages::never});
  auto group = Group::join(reactor, config, cart);
  if (!group) return std::unexpected(group.error());
  Part part(rank, crash, transcript);
  while (cart.value() != 30) {
    part.play(reactor, *group, cart);
    if (!reactor.poll_once()) reactor.idle(kLookNs);
  }
  while (!group->drained()) {
    if (!reactor.poll_once()) reactor.idle(kLookNs);
  }
  return group->leave(kLeaveTimeoutNs);
}

}  // namespace

int run_member(const GroupConfig& config, std::uint32_t rank, Crash crash, Transcript& transcript) {
  GroupConfig own = config;
  own.self = config.members[rank];
  const auto lived = live(own, rank, crash, transcript);
  if (lived) return EXIT_SUCCESS;
  fmt::print(stderr, "cart: {}: {}\n", own.self, lived.error().message);
  return EXIT_FAILURE;
}

}  // namespace lockstep::examples
