#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "examples/matching_engine/pool.hpp"

namespace lockstep::examples {

/// Scrambles all bits of `word` into all bits of the result (Steele et al., SplitMix64).
constexpr std::uint64_t scramble(std::uint64_t word) noexcept {
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
  word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
  return word ^ (word >> 31);
}

/// Finds a resting order by its id: open addressing with linear probing, at most half full, fixed
/// size. Deletion closes the gap (Knuth, TAOCP 3, 6.4 R), so it never slows down with age.
///
/// Exchanges count ids upwards, so eight neighbours in number are neighbours in memory: a new id
/// then mostly finds its place in the cache. With every id scattered by itself, waiting for memory
/// here took a third of the engine's time.
class OrderIndex {
 public:
  explicit OrderIndex(std::uint32_t capacity)
      : mask_(std::bit_ceil(std::uint64_t{2} * capacity) - 1),
        entries_(make_zeroed_array<Entry>(mask_ + 1)) {}

  /// Where `order_id` is in the pool; 0 if it is not there.
  [[nodiscard]] std::uint32_t find(std::uint64_t order_id) const noexcept {
    for (std::uint64_t at = home(order_id);; at = (at + 1) & mask_) {
      const Entry& entry = entries_[at];
      if (entry.order == 0 || entry.order_id == order_id) return entry.order;
    }
  }

  /// `order_id` must not be there yet, and fewer than `capacity` ids are.
  void insert(std::uint64_t order_id, std::uint32_t order) noexcept {
    std::uint64_t at = home(order_id);
    while (entries_[at].order != 0) at = (at + 1) & mask_;
    entries_[at] = {order_id, order};
  }

  /// `order_id` must be there.
  void erase(std::uint64_t order_id) noexcept {
    std::uint64_t gap = home(order_id);
    while (entries_[gap].order_id != order_id || entries_[gap].order == 0) gap = (gap + 1) & mask_;
    for (std::uint64_t at = (gap + 1) & mask_; entries_[at].order != 0; at = (at + 1) & mask_) {
      // An entry may move back to the gap unless its home lies behind the gap.
      const std::uint64_t distance = (at - home(entries_[at].order_id)) & mask_;
      if (distance < ((at - gap) & mask_)) continue;
      entries_[gap] = entries_[at];
      gap = at;
    }
    entries_[gap].order = 0;
  }

 private:
  struct Entry {
    std::uint64_t order_id;
    std::uint32_t order;
  };

  static constexpr std::uint64_t kNeighbours = 8;

  [[nodiscard]] std::uint64_t home(std::uint64_t order_id) const noexcept {
    return (scramble(order_id / kNeighbours) * kNeighbours + order_id % kNeighbours) & mask_;
  }

  std::uint64_t mask_;
  std::unique_ptr<Entry[], Free> entries_;
};

}  // namespace lockstep::examples
