#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "transports/sim/random.hpp"

namespace lockstep::sim {

/// Something that befalls a group whose views may change. Members are named by the rank that they
/// had in the first view, here and in everything the simulation says.
struct Mishap {
  enum class Kind : std::uint8_t {
    crash,       ///< `member` ends without a word
    pause,       ///< `member` takes no step for `duration_ns`, and goes on
    leave,       ///< `member` asks the others to go on without it
    cut,         ///< nothing gets from `member` to `peers` and back for `duration_ns`
    cut_out,     ///< nothing gets from `member` to `peers`; what they send arrives
    accuse,      ///< `member` wrongly takes `peers` for unreachable for `duration_ns`
    break_link,  ///< the link between `member` and the lowest of `peers` goes down for good
    jump,        ///< the clock of `member` leaps forward by `duration_ns`
    join,        ///< `member`, who is not there yet, comes
    outage,      ///< the links of `member` to `peers` go down, and can be made anew afterwards
    find_slow,   ///< `member` says that `peers` lag behind too far
  };
  /// What it waits for: a time, or the first step of this kind in a change of view from then on;
  /// then it befalls whoever took the step.
  enum class Trigger : std::uint8_t { time, promise, acceptance, installation };
  Kind kind = Kind::crash;
  Trigger trigger = Trigger::time;
  std::uint64_t at_ns = 0;
  std::uint64_t duration_ns = 0;
  std::uint32_t member = 0;
  std::uint64_t peers = 0;  ///< a bit each

  /// When the group has it behind itself.
  [[nodiscard]] std::uint64_t end_ns() const {
    return kind == Kind::jump ? at_ns : at_ns + duration_ns;
  }
};

/// Within this virtual time everything befalls a group.
inline constexpr std::uint64_t kEventfulNs = 1'500'000;

/// What befalls a group of `members`, and of `joiners` with the numbers after theirs, by time: at
/// least one thing after which the view has to change, unless nobody can be spared.
std::vector<Mishap> draw_mishaps(std::uint32_t members, std::uint32_t joiners,
                                 std::uint64_t silence_ns, transports::Random& random);

/// One mishap in words, for people.
std::string to_string(const Mishap& mishap);

}  // namespace lockstep::sim
