#pragma once

#include <cstddef>
#include <cstdint>

#include "transports/transport.hpp"

namespace lockstep::transports {

/// How a simulated network behaves. Times are virtual nanoseconds; chances are per thousand.
struct SimOptions {
  std::uint32_t members = 3;           ///< 2 – 64
  std::size_t region_bytes = 1 << 14;  ///< one copy of one inbound region; a multiple of 64
  std::size_t source_bytes = 1 << 14;  ///< memory to post from, per member; a multiple of 64
  WriteOrder write_order = WriteOrder::unordered;

  /// A group of mixed media, members a bit each (AutoTransport). Links between two that are `near`
  /// are first_word_last; other links between two that have `devices` are unordered, and so is
  /// what these say of themselves; the rest is as `write_order` says.
  std::uint64_t near = 0;
  std::uint64_t devices = 0;

  [[nodiscard]] constexpr WriteOrder order_of_member(std::uint32_t rank) const noexcept {
    return (devices >> rank & 1U) != 0 ? WriteOrder::unordered : write_order;
  }
  [[nodiscard]] constexpr WriteOrder order_of_link(std::uint32_t a,
                                                   std::uint32_t b) const noexcept {
    if ((near >> a & near >> b & 1U) != 0) return WriteOrder::first_word_last;
    return (devices >> a & devices >> b & 1U) != 0 ? WriteOrder::unordered : write_order;
  }

  /// Each link draws a range of its own within these; each write draws its delay from that range.
  std::uint64_t delay_min_ns = 100;
  std::uint64_t delay_max_ns = 5'000;

  /// Writes that may be posted and not complete on a link; one more is `would_block`.
  std::uint32_t queue_writes = 64;

  /// How often a write leaves before `flush` asks for it (and all before it on its link).
  std::uint32_t early_departure_permille = 200;

  /// How often a write of more than one word becomes visible in several steps, and the longest
  /// time between two of them.
  std::uint32_t tear_permille = 500;
  std::uint64_t tear_gap_ns = 2'000;

  /// How often a departing write finds that its link stops delivering, and for how long at most.
  std::uint32_t clog_permille = 2;
  std::uint64_t clog_max_ns = 200'000;

  /// How often a write completes long after it was read, by up to clog_max_ns: a real device may
  /// read the source again until it does.
  std::uint32_t slow_completion_permille = 10;

  /// How often, per inbound link, `announce_sleep` lets writes that are under way arrive just
  /// before the announcement: they ring no doorbell, so a sleeper must look once more.
  std::uint32_t before_sleep_permille = 300;
};

}  // namespace lockstep::transports
