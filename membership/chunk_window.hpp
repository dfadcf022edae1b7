#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "membership/transfer_packet.hpp"

namespace lockstep::membership {

/// The chunks of a snapshot that the joiner may still ask for, as the packets they travel in: those
/// sealed and not released, and the one being filled. All memory is allocated at the beginning,
/// about 1 MiB. One thread.
class ChunkWindow {
 public:
  static constexpr std::size_t kChunks = 16;

  explicit ChunkWindow(TransferId id);

  /// The oldest chunk that is kept, and one past the newest that is sealed.
  [[nodiscard]] std::uint64_t begin() const noexcept { return begin_; }
  [[nodiscard]] std::uint64_t end() const noexcept { return end_; }
  /// The snapshot's last chunk is sealed: nothing more is written.
  [[nodiscard]] bool whole() const noexcept { return whole_; }

  /// How many bytes there is room for until chunks are released.
  [[nodiscard]] std::size_t room() const noexcept;
  /// Copies as many of `bytes` as there is room for, and seals what gets full. Returns how many.
  std::size_t write(std::span<const std::byte> bytes) noexcept;
  /// There is more to come: a chunk that is full need not wait for it.
  void seal_full() noexcept;
  /// There is nothing more to come. The last chunk may be empty.
  void seal_last() noexcept;

  /// The packet of a sealed chunk: begin() <= number < end().
  [[nodiscard]] std::span<const std::byte> packet(std::uint64_t number) const noexcept;
  /// Gives up all chunks before `number`, at most end(). Returns how many bytes of the snapshot
  /// they were.
  std::uint64_t release(std::uint64_t number) noexcept;

 private:
  static constexpr std::size_t kPacketBytes = sizeof(TransferHeader) + kMostChunkBytes;

  [[nodiscard]] std::span<std::byte> slot(std::uint64_t number) const noexcept;
  void seal(bool last) noexcept;

  TransferId id_;
  std::unique_ptr<std::byte[]> memory_;
  std::array<std::size_t, kChunks> packet_bytes_{};
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
  std::size_t filled_ = 0;  ///< bytes in chunk end_
  bool whole_ = false;
};

}  // namespace lockstep::membership
