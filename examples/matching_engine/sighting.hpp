#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <type_traits>

#include "examples/matching_engine/pacing.hpp"

namespace lockstep::examples {

/// Reads a word that another process writes; sees all that it wrote before. Pairs with `show`.
inline std::uint64_t seen(const std::uint64_t& word) noexcept {
  return std::atomic_ref(const_cast<std::uint64_t&>(word)).load(std::memory_order_acquire);
}
/// Writes a word of which this process is the only writer.
inline void show(std::uint64_t& word, std::uint64_t value) noexcept {
  std::atomic_ref(word).store(value, std::memory_order_release);
}

/// What a member shows while it lives, in memory that processes share. It is the only writer. Who
/// is started again goes on in what the one before it left. Times are those of now_ns(); 0: it has
/// not happened.
struct alignas(64) Sighting {
  std::uint64_t orders = 0;          ///< that it applied; only with --kill
  std::uint64_t over = 0;            ///< 1: it applied the end of the input, or gave up
  std::uint64_t joined_ns = 0;       ///< when Group::join returned
  std::uint64_t orders_got = 0;      ///< that were in the state it got as it joined
  std::uint64_t unreachable_ns = 0;  ///< when it first missed another member
  std::uint64_t installed_ns = 0;    ///< when it installed the view without that member
  std::uint64_t resumed_ns = 0;      ///< when it applied the first order there
  std::uint64_t longest_gap_ns = 0;  ///< between two applied orders, from the kill to `resumed_ns`
};
static_assert(sizeof(Sighting) == 64 && std::is_trivially_copyable_v<Sighting>);

/// What the parent shows of the kill. Its only writer.
struct KillSighting {
  std::uint64_t killed_ns = 0;  ///< right before kill(2)
};

/// Takes the times of one member while another is killed: what `lockstep bench failover` measures,
/// in its words. Costs a clock reading per order until the member has resumed.
class Witness {
 public:
  Witness(Sighting& sees, const KillSighting& kill) : sees_(sees), kill_(kill) {}

  void applied() noexcept {
    show(sees_.orders, sees_.orders + 1);
    if (sees_.resumed_ns != 0) return;
    const std::uint64_t at_ns = now_ns();
    const std::uint64_t gap_ns = last_ns_ == 0 ? 0 : at_ns - last_ns_;
    last_ns_ = at_ns;
    if (gap_ns > sees_.longest_gap_ns && seen(kill_.killed_ns) != 0) sees_.longest_gap_ns = gap_ns;
    if (sees_.installed_ns != 0) show(sees_.resumed_ns, at_ns);
  }
  void unreachable() noexcept {
    if (sees_.unreachable_ns == 0) show(sees_.unreachable_ns, now_ns());
  }
  /// A view is installed in which members of the one before are missing.
  void installed_without_the_lost() noexcept {
    if (sees_.installed_ns == 0) show(sees_.installed_ns, now_ns());
  }

 private:
  Sighting& sees_;
  const KillSighting& kill_;
  std::uint64_t last_ns_ = 0;
};

}  // namespace lockstep::examples
