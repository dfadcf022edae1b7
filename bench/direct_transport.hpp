#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "transports/transport.hpp"

namespace lockstep::bench {

/// A medium without a cost of its own, for micro-benchmarks of what stands above it: all members
/// in one thread, a write is a memcpy that is visible at once. Keeps the contract of
/// transports::Transport; nothing ever fails.
class DirectTransport final : public transports::Transport {
 public:
  DirectTransport(std::uint32_t members, std::size_t region_bytes, std::size_t source_bytes)
      : region_bytes_(region_bytes),
        inbound_(members),
        peers_(members),
        marks_(members),
        source_(source_bytes / sizeof(Line) + 1) {
    for (auto& region : inbound_) region.resize(region_bytes / sizeof(Line) + 1);
  }

  /// `peer` is the member of rank `link`; this one has rank `my_rank` there.
  void connect(transports::LinkId link, DirectTransport& peer, std::uint32_t my_rank) {
    peers_[link] = reinterpret_cast<std::byte*>(peer.inbound_[my_rank].data());
  }

  [[nodiscard]] std::size_t region_bytes() const noexcept override { return region_bytes_; }
  [[nodiscard]] transports::WriteOrder write_order() const noexcept override {
    return transports::WriteOrder::first_word_last;
  }
  [[nodiscard]] std::span<std::byte> source() noexcept override {
    return {reinterpret_cast<std::byte*>(source_.data()), source_.size() * sizeof(Line)};
  }
  [[nodiscard]] std::span<std::byte> inbound(transports::LinkId link,
                                             std::uint32_t /*copy*/) noexcept override {
    return {reinterpret_cast<std::byte*>(inbound_[link].data()), region_bytes_};
  }
  transports::Post write(transports::LinkId link, std::uint32_t /*copy*/, std::uint64_t offset,
                         std::span<const std::byte> bytes, std::uint64_t mark) noexcept override {
    std::memcpy(peers_[link] + offset, bytes.data(), bytes.size());
    marks_[link] = mark;
    return transports::Post::posted;
  }
  void flush(transports::LinkId /*link*/) noexcept override {}
  [[nodiscard]] std::uint64_t completed(transports::LinkId link) const noexcept override {
    return marks_[link];
  }
  std::size_t poll(std::span<transports::LinkDown> /*events*/) noexcept override { return 0; }
  void drop(transports::LinkId /*link*/) noexcept override {}
  void set_never_sleeps(bool /*never*/) noexcept override {}
  void announce_sleep() noexcept override {}
  void announce_awake() noexcept override {}
  void ring_doorbells() noexcept override {}
  [[nodiscard]] std::span<const int> descriptors() const noexcept override { return {}; }

 private:
  struct alignas(64) Line {
    std::byte bytes[64]{};
  };

  std::size_t region_bytes_;
  std::vector<std::vector<Line>> inbound_;
  std::vector<std::byte*> peers_;
  std::vector<std::uint64_t> marks_;
  std::vector<Line> source_;
};

}  // namespace lockstep::bench
