#pragma once

#include <atomic>
#include <cstdint>

namespace lockstep::runtime {

static_assert(std::atomic_ref<std::uint64_t>::is_always_lock_free,
              "words shared between processes must not hide a lock");

/// Reads a word that another thread, process or device writes. Pairs with store_release there (or
/// with the order the medium promises): everything written before the word is visible after.
inline std::uint64_t load_acquire(const std::uint64_t& word) noexcept {
  return std::atomic_ref(const_cast<std::uint64_t&>(word)).load(std::memory_order_acquire);
}

/// Writes a word that others read with load_acquire.
inline void store_release(std::uint64_t& word, std::uint64_t value) noexcept {
  std::atomic_ref(word).store(value, std::memory_order_release);
}

}  // namespace lockstep::runtime
