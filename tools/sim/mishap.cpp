#include "tools/sim/mishap.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <string_view>

namespace lockstep::sim {
namespace {

using transports::Random;
using Kind = Mishap::Kind;

constexpr std::uint64_t kSecondNs = 1'000'000'000;

constexpr std::uint64_t bit(std::uint32_t member) { return std::uint64_t{1} << member; }

/// Draws what befalls one group.
class Fate {
 public:
  Fate(std::uint32_t members, std::uint32_t joiners, std::uint64_t silence_ns, Random& random)
      : members_(members), joiners_(joiners), silence_ns_(silence_ns), random_(random) {}

  std::vector<Mishap> draw() {
    if (members_ == 5 && random_.chance(200)) return draw_split();
    // The first one is there in every run: whatever else happens, the view has to change.
    Mishap first = draw_one();
    first.kind = random_.chance(700) ? Kind::crash : Kind::leave;
    mishaps_.push_back(first);
    draw_more(first);
    if (random_.chance(100)) draw_departures(first.at_ns);
    if (!random_.chance(150)) spare_a_quorum();
    if (random_.chance(450)) draw_confusion(first.at_ns);
    if (random_.chance(150)) draw_stop(first.at_ns);
    if (random_.chance(150)) draw_flapping(first.at_ns);
    if (random_.chance(200)) draw_jumps(first.at_ns);
    if (random_.chance(150)) draw_outage(first.at_ns);
    for (std::uint32_t i = 0; i < joiners_; ++i) draw_join(members_ + i, first.at_ns);
    std::ranges::sort(mishaps_, {}, &Mishap::at_ns);
    return std::move(mishaps_);
  }

 private:
  Mishap draw_one() {
    Mishap mishap;
    mishap.at_ns = random_.between(20'000, kEventfulNs);
    mishap.member = static_cast<std::uint32_t>(random_.below(members_));
    const std::uint64_t others = (bit(members_) - 1) & ~bit(mishap.member);
    mishap.duration_ns = random_.between(1'000, 5 * silence_ns_);
    mishap.peers = random_.chance(500) ? others : random_.next() & others;
    if (mishap.peers == 0) mishap.peers = others;
    constexpr Kind kKinds[] = {Kind::crash, Kind::crash,   Kind::pause,  Kind::leave,
                               Kind::cut,   Kind::cut_out, Kind::accuse, Kind::break_link};
    mishap.kind = kKinds[random_.below(std::size(kKinds))];
    return mishap;
  }

  void draw_more(const Mishap& first) {
    const std::uint64_t more = random_.below(4);
    for (std::uint64_t i = 0; i < more; ++i) {
      Mishap mishap = draw_one();
      // Most of them while the view is changing: at once after a crash, later after a silence.
      if (random_.chance(700)) {
        const bool soon = random_.chance(600);
        mishap.at_ns = first.at_ns + random_.below(soon ? 40'000 : 2 * silence_ns_);
      }
      if (random_.chance(400)) {
        mishap.trigger = static_cast<Mishap::Trigger>(random_.between(1, 3));
        mishap.at_ns = first.at_ns > 1'000 ? first.at_ns - 1'000 : 0;
        if (random_.chance(600)) mishap.kind = Kind::crash;
      }
      mishaps_.push_back(mishap);
    }
  }

  // Rank 0 decides, and nobody hears of it: two never get its proposal, and of the two that accept
  // it one is heard by nobody else. The other three, silent to those two, go on with what they saw.
  std::vector<Mishap> draw_split() {
    Mishap leave = draw_one();
    leave.kind = Kind::leave;
    mishaps_.push_back(leave);
    const std::uint64_t all = bit(members_) - 1;
    const std::uint32_t one = static_cast<std::uint32_t>(random_.between(1, 4));
    const std::uint32_t other = static_cast<std::uint32_t>(random_.between(1, 4));
    cut_out(Mishap::Trigger::promise, leave.at_ns, bit(one) | bit(other));
    cut_out(Mishap::Trigger::promise, leave.at_ns, all & ~bit(0));
    cut_out(Mishap::Trigger::acceptance, leave.at_ns, all);
    std::ranges::sort(mishaps_, {}, &Mishap::at_ns);
    return std::move(mishaps_);
  }

  void cut_out(Mishap::Trigger trigger, std::uint64_t from_ns, std::uint64_t peers) {
    mishaps_.push_back({.kind = Kind::cut_out,
                        .trigger = trigger,
                        .at_ns = from_ns,
                        .duration_ns = random_.between(silence_ns_, 6 * silence_ns_),
                        .peers = peers});
  }

  // Several leave, and some crash, all at about the same time.
  void draw_departures(std::uint64_t from_ns) {
    const std::uint64_t count = random_.between(2, members_);
    for (std::uint64_t i = 0; i < count; ++i) {
      Mishap mishap = draw_one();
      mishap.kind = random_.chance(600) ? Kind::leave : Kind::crash;
      mishap.at_ns = from_ns + random_.below(10'000);
      mishaps_.push_back(mishap);
    }
  }

  // So many go that the others can go on; who would be one too many only pauses. Of two it is rank
  // 1 that can be spared.
  void spare_a_quorum() {
    std::uint32_t gone = 0;
    for (Mishap& mishap : mishaps_) {
      const bool goes = mishap.kind == Kind::crash || mishap.kind == Kind::leave ||
                        mishap.kind == Kind::break_link;
      if (!goes) continue;
      const bool is_second = members_ == 2 && mishap.member == 1 && gone == 0 &&
                             mishap.trigger == Mishap::Trigger::time;
      if (2 * ++gone >= members_ && !is_second) mishap.kind = Kind::pause;
    }
  }

  // Everybody accuses everybody while the view changes, each for a moment: attempt upon attempt, of
  // which several get as far as a proposal.
  void draw_confusion(std::uint64_t from_ns) {
    const std::uint64_t count = random_.between(5, 40);
    for (std::uint64_t i = 0; i < count; ++i) {
      Mishap mishap = draw_one();
      mishap.kind = random_.chance(200) ? Kind::cut_out : Kind::accuse;
      mishap.at_ns = from_ns + random_.below(100'000);
      mishap.duration_ns = random_.between(1'000, 30'000);
      mishaps_.push_back(mishap);
    }
  }

  // Several, perhaps all, stand still at once for longer than anybody waits for them: a machine
  // that hosts them was busy with something else.
  void draw_stop(std::uint64_t from_ns) {
    const std::uint64_t at_ns = from_ns + random_.below(3 * silence_ns_);
    const bool all = random_.chance(300);
    const std::uint64_t duration_ns = random_.between(2 * silence_ns_, 8 * silence_ns_);
    for (std::uint32_t member = 0; member < members_; ++member) {
      if (!all && random_.chance(400)) continue;
      mishaps_.push_back({.kind = Kind::pause,
                          .at_ns = at_ns + random_.below(5'000),
                          .duration_ns = duration_ns + random_.below(silence_ns_),
                          .member = member,
                          .peers = bit(member)});
    }
  }

  // A link comes and goes, for about as long as it takes to notice.
  void draw_flapping(std::uint64_t from_ns) {
    Mishap mishap = draw_one();
    mishap.kind = random_.chance(500) ? Kind::cut : Kind::cut_out;
    mishap.at_ns = from_ns - random_.below(from_ns);
    const std::uint64_t count = random_.between(3, 8);
    for (std::uint64_t i = 0; i < count; ++i) {
      mishap.duration_ns = random_.between(silence_ns_ / 2, 5 * silence_ns_ / 2);
      mishaps_.push_back(mishap);
      mishap.at_ns += mishap.duration_ns + random_.between(1'000, silence_ns_);
    }
  }

  // Somebody comes, often while the view is changing anyway; and may not come far.
  void draw_join(std::uint32_t joiner, std::uint64_t from_ns) {
    Mishap join{.kind = Kind::join, .member = joiner, .peers = bit(joiner)};
    join.at_ns = random_.between(10'000, kEventfulNs);
    if (random_.chance(400)) join.at_ns = from_ns - from_ns / 8 + random_.below(60'000);
    mishaps_.push_back(join);
    const std::uint64_t more = random_.below(3);
    for (std::uint64_t i = 0; i < more; ++i) {
      Mishap mishap = draw_one();
      mishap.at_ns = join.at_ns + random_.below(random_.chance(600) ? 60'000 : 2 * silence_ns_);
      const bool befalls_it = random_.chance(600);
      if (befalls_it) {
        mishap.member = joiner;
        mishap.peers = draw_some(members_);
      } else if (mishap.kind == Kind::crash || mishap.kind == Kind::break_link) {
        mishap.kind = Kind::pause;  // the founders had their share
      }
      mishaps_.push_back(mishap);
    }
  }

  std::uint64_t draw_some(std::uint32_t members) {
    const std::uint64_t all = bit(members) - 1;
    const std::uint64_t some = random_.next() & all;
    return some == 0 || random_.chance(500) ? all : some;
  }

  // A switch restarts: links between some or all go down, at about the same time.
  void draw_outage(std::uint64_t from_ns) {
    Mishap mishap = draw_one();
    mishap.kind = Kind::outage;
    const std::uint64_t at_ns = from_ns - from_ns / 8 + random_.below(2 * silence_ns_);
    mishap.duration_ns = random_.between(1'000, 3 * silence_ns_);
    const bool all = random_.chance(600);
    for (mishap.member = 0; mishap.member < members_; ++mishap.member) {
      const std::uint64_t others = (bit(members_) - 1) & ~bit(mishap.member);
      mishap.peers = all ? others : random_.next() & others;
      mishap.at_ns = at_ns + random_.below(3'000);
      if (mishap.peers != 0) mishaps_.push_back(mishap);
    }
  }

  // Clocks leap, as after a machine was suspended, some of them while the view is changing.
  void draw_jumps(std::uint64_t from_ns) {
    const std::uint64_t count = random_.between(1, 4);
    for (std::uint64_t i = 0; i < count; ++i) {
      Mishap mishap = draw_one();
      mishap.kind = Kind::jump;
      if (random_.chance(600)) mishap.at_ns = from_ns + random_.below(2 * silence_ns_);
      mishap.duration_ns =
          random_.between(kSecondNs, random_.chance(500) ? 10 * kSecondNs : 3'600 * kSecondNs);
      mishaps_.push_back(mishap);
    }
  }

  const std::uint32_t members_;
  const std::uint32_t joiners_;
  const std::uint64_t silence_ns_;
  Random& random_;
  std::vector<Mishap> mishaps_;
};

std::string_view word(Kind kind) {
  constexpr std::string_view kWords[] = {"crashes",
                                         "pauses",
                                         "leaves",
                                         "is cut off from",
                                         "is not heard by",
                                         "accuses",
                                         "loses its link to",
                                         "sees a clock leap",
                                         "joins",
                                         "loses its links, for now, to",
                                         "finds slow"};
  return kWords[static_cast<std::size_t>(kind)];
}

}  // namespace

std::vector<Mishap> draw_mishaps(std::uint32_t members, std::uint32_t joiners,
                                 std::uint64_t silence_ns, Random& random) {
  return Fate(members, joiners, silence_ns, random).draw();
}

std::string to_string(const Mishap& mishap) {
  std::vector<int> peers;
  for (std::uint64_t rest = mishap.peers; rest != 0; rest &= rest - 1) {
    peers.push_back(std::countr_zero(rest));
  }
  constexpr std::string_view kSteps[] = {"", "who promises next", "who accepts next",
                                         "who installs next"};
  const std::string who = mishap.trigger == Mishap::Trigger::time
                              ? std::to_string(mishap.member)
                              : std::string(kSteps[static_cast<std::size_t>(mishap.trigger)]);
  std::string text = fmt::format("at {} ns {} {}", mishap.at_ns, who, word(mishap.kind));
  const bool many = mishap.kind == Kind::cut || mishap.kind == Kind::cut_out ||
                    mishap.kind == Kind::accuse || mishap.kind == Kind::outage;
  if (many || mishap.kind == Kind::find_slow) text += fmt::format(" {}", peers);
  if (mishap.kind == Kind::break_link) text += fmt::format(" {}", peers.front());
  if (mishap.kind == Kind::jump) text += fmt::format(" by {} ns", mishap.duration_ns);
  if (many || mishap.kind == Kind::pause) text += fmt::format(" for {} ns", mishap.duration_ns);
  return text;
}

}  // namespace lockstep::sim
