#pragma once

#include <atomic>
#include <cstdint>

namespace lockstep::bench {

/// A 64-bit word that several members use at a time. Unlike std::atomic it is trivially copyable,
/// so it can live in a launch::SharedArray.
struct Word {
  std::uint64_t value = 0;

  /// Pairs with `store` and `add`: what the writer did before them is seen.
  [[nodiscard]] std::uint64_t load() noexcept {
    return std::atomic_ref(value).load(std::memory_order_acquire);
  }
  void store(std::uint64_t next) noexcept {
    std::atomic_ref(value).store(next, std::memory_order_release);
  }
  std::uint64_t add(std::uint64_t n) noexcept {
    return std::atomic_ref(value).fetch_add(n, std::memory_order_acq_rel) + n;
  }
  bool replace(std::uint64_t expected, std::uint64_t next) noexcept {
    return std::atomic_ref(value).compare_exchange_strong(expected, next,
                                                          std::memory_order_acq_rel);
  }
};

/// A word alone on its cache line, and out of reach of the prefetcher that fetches lines in pairs.
struct alignas(128) LoneWord : Word {};
static_assert(sizeof(LoneWord) == 128);

}  // namespace lockstep::bench
