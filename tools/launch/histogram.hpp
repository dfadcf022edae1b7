#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace lockstep::launch {

/// A histogram of durations in nanoseconds, 0 to 100 s, with an error of at most 0.4 %.
///
/// Log-linear buckets after HdrHistogram (Tene): every power of two is cut into 128 equal parts,
/// and values below 256 are exact. 31 KiB, no pointers, and zero bytes are an empty histogram: it
/// can live in a launch::SharedArray. `record` takes constant time and has no branch that data can
/// mispredict. Longer values are counted in the last bucket; `min`, `max` and `mean` stay exact.
///
/// One writer. Readers wait until the writer is done.
class Histogram {
 public:
  static constexpr std::uint64_t kLargestNs = 100'000'000'000;

  void record(std::uint64_t ns) noexcept {
    ++buckets_[index_of(std::min(ns, kLargestNs))];
    ++count_;
    sum_ += ns;
    largest_ = std::max(largest_, ns);
    smallest_inverted_ = std::max(smallest_inverted_, ~ns);
  }

  void merge(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    sum_ += other.sum_;
    largest_ = std::max(largest_, other.largest_);
    smallest_inverted_ = std::max(smallest_inverted_, other.smallest_inverted_);
  }

  void clear() noexcept { *this = Histogram(); }

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  /// All of these are 0 when nothing was recorded.
  [[nodiscard]] std::uint64_t min() const noexcept { return count_ == 0 ? 0 : ~smallest_inverted_; }
  [[nodiscard]] std::uint64_t max() const noexcept { return largest_; }
  [[nodiscard]] double mean() const noexcept {
    return count_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count_);
  }

  /// The value that `percent` (0 to 100) of all recorded values do not exceed: nearest rank, the
  /// middle of its bucket. 0 gives min(), 100 gives max().
  [[nodiscard]] std::uint64_t percentile(double percent) const noexcept {
    const auto rank = rank_of(percent);
    if (rank <= 1) return min();
    if (rank >= count_) return max();
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      seen += buckets_[i];
      if (seen >= rank) return std::clamp(middle_of(i), min(), max());
    }
    return max();
  }

 private:
  static constexpr int kPartBits = 7;
  static constexpr std::uint64_t kParts = std::uint64_t{1} << kPartBits;

  /// By how much values of this size are shifted so that they lie in [kParts, 2 kParts); none for
  /// those below.
  static constexpr int shift_of(std::uint64_t ns) noexcept {
    return static_cast<int>(std::bit_width(ns | kParts)) - (kPartBits + 1);
  }
  static constexpr std::size_t index_of(std::uint64_t ns) noexcept {
    const int shift = shift_of(ns);
    return (static_cast<std::size_t>(shift) << kPartBits) + (ns >> shift);
  }
  static constexpr std::uint64_t middle_of(std::size_t index) noexcept {
    if (index < 2 * kParts) return index;
    const std::size_t shift = (index >> kPartBits) - 1;
    const std::uint64_t lowest = (kParts + (index & (kParts - 1))) << shift;
    return lowest + ((std::uint64_t{1} << shift) >> 1);
  }
  /// index_of(kLargestNs) + 1, which cannot be called before the class is complete.
  static constexpr int kLargestShift =
      static_cast<int>(std::bit_width(kLargestNs)) - (kPartBits + 1);
  static constexpr std::size_t kBuckets =
      (static_cast<std::size_t>(kLargestShift) << kPartBits) + (kLargestNs >> kLargestShift) + 1;

  [[nodiscard]] std::uint64_t rank_of(double percent) const noexcept {
    const double exact = std::clamp(percent, 0.0, 100.0) * static_cast<double>(count_) / 100.0;
    // Without the margin 99.9 % of 1 000 could come out as a little more than 999.
    return static_cast<std::uint64_t>(std::ceil(exact - 1e-6));
  }

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t largest_ = 0;
  std::uint64_t smallest_inverted_ = 0;
};

static_assert(std::is_trivially_copyable_v<Histogram>);

}  // namespace lockstep::launch
