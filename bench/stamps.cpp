#include "bench/stamps.hpp"

#include <algorithm>
#include <atomic>
#include <limits>

namespace lockstep::bench {

std::size_t Stamps::words_for(std::uint64_t wanted, std::uint32_t members) noexcept {
  constexpr std::uint64_t kMostWords = (64 << 20) / sizeof(std::uint64_t);
  const std::uint64_t columns = members + 1;
  return std::min(wanted, kMostWords / columns) * columns;
}

launch::Histogram Stamps::to_last(std::uint32_t senders) const {
  launch::Histogram histogram;
  for (std::uint32_t sender = 0; sender < senders; ++sender) {
    for (std::uint64_t i = 0; i < per_sender_; ++i) {
      const std::uint64_t k = i * stride_;
      const std::uint64_t published_ns = at(sender, k, members_);
      std::uint64_t first_ns = std::numeric_limits<std::uint64_t>::max();
      std::uint64_t last_ns = 0;
      for (std::uint32_t rank = 0; rank < members_; ++rank) {
        first_ns = std::min(first_ns, at(sender, k, rank));
        last_ns = std::max(last_ns, at(sender, k, rank));
      }
      if (published_ns == 0 || first_ns == 0) continue;
      histogram.record(last_ns - std::min(last_ns, published_ns));
    }
  }
  return histogram;
}

void Stamps::touch(std::uint32_t rank) noexcept {
  // Written, not read: reading maps a page for reading only, and the first write faults again.
  constexpr std::size_t kPageWords = 4'096 / sizeof(std::uint64_t);
  const std::size_t column_words = words_.size() / (members_ + 1);
  for (const std::uint32_t column : {rank, members_}) {
    const std::size_t first = column * column_words;
    for (std::size_t i = first; i < first + column_words; i += kPageWords) {
      // Members share the last column and touch it together; zero is what it holds.
      std::atomic_ref(words_[i]).fetch_add(0, std::memory_order_relaxed);
    }
  }
}

}  // namespace lockstep::bench
