#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tools/launch/histogram.hpp"

namespace lockstep::bench {

/// When chosen messages were published, and when each member applied them: what it took to the
/// *last* member's delivery is known only when all have ended.
///
/// Message k of a sender is chosen when k is a multiple of the stride. The closed loop takes one
/// in eight, so that the time it costs to note the time disturbs few of the messages whose
/// latency is taken; the open loop takes all. Room is bounded: later messages go unnoted here.
///
/// Every word has one writer. A view over shared memory; copies see the same words.
class Stamps {
 public:
  Stamps(std::span<std::uint64_t> words, std::uint32_t members, std::uint32_t senders,
         std::uint64_t stride) noexcept
      : words_(words),
        members_(members),
        per_sender_(words.size() / senders / (members + 1)),
        stride_(stride) {}

  /// Words for about `wanted` messages, fewer if that were more than 64 MiB.
  static std::size_t words_for(std::uint64_t wanted, std::uint32_t members) noexcept;

  void published(std::uint32_t sender, std::uint64_t k, std::uint64_t now_ns) noexcept {
    if (chosen(k)) at(sender, k, members_) = now_ns;
  }
  void applied(std::uint32_t rank, std::uint32_t sender, std::uint64_t k,
               std::uint64_t now_ns) noexcept {
    at(sender, k, rank) = now_ns;
  }
  [[nodiscard]] bool chosen(std::uint64_t k) const noexcept {
    return k % stride_ == 0 && k / stride_ < per_sender_;
  }

  /// From publishing to the last member's delivery, of every message that has all its stamps.
  [[nodiscard]] launch::Histogram to_last(std::uint32_t senders) const;

  /// Makes this member's pages present, so that noting a time never faults. Only before the run.
  void touch(std::uint32_t rank) noexcept;

 private:
  [[nodiscard]] std::uint64_t& at(std::uint32_t sender, std::uint64_t k,
                                  std::uint32_t column) const noexcept {
    return words_[(std::size_t{column} * (words_.size() / (members_ + 1))) +
                  std::size_t{sender} * per_sender_ + k / stride_];
  }

  std::span<std::uint64_t> words_;
  std::uint32_t members_;
  std::uint64_t per_sender_;
  std::uint64_t stride_;
};

}  // namespace lockstep::bench
