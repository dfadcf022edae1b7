#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bench/patience.hpp"
#include "bench/payload.hpp"
#include "lockstep/error.hpp"
#include "runtime/clock.hpp"

namespace lockstep::bench {

/// The floor of throughput: one end of a bare single-producer, single-consumer stream.
///
/// A ring of slots; each holds a flag and the payload. The producer writes the payload and then
/// stores the slot's number into its flag with release; the consumer polls the flag of the next
/// slot, reads the payload, and says only every quarter of a ring how far it is, so that in the
/// steady state no line but those of the payload changes hands. The producer keeps its last look
/// at that word. After FastForward (Giacomoni et al., PPoPP 2008) and the cached indices of
/// Rigtorp's SPSCQueue. Writer and reader do the same work per byte as for ordered messages.
///
/// One object per end, over the same memory; used by that end's thread only.
class FloorStream {
 public:
  /// Shared, zeroed, 64-byte aligned memory of one direction.
  static std::size_t memory_bytes(std::uint64_t payload_bytes) noexcept;

  FloorStream(std::span<std::byte> memory, std::uint64_t payload_bytes) noexcept;

  /// Writes up to `limit` messages, as many as there is room for. Returns how many.
  std::uint64_t produce(std::uint64_t limit) noexcept;

  /// Reads up to `limit` messages, as many as are there. Returns how many.
  std::uint64_t consume(std::uint64_t limit) noexcept;

  [[nodiscard]] std::uint64_t digest() const noexcept { return digest_.value(); }

 private:
  [[nodiscard]] std::byte* slot(std::uint64_t number) const noexcept {
    return slots_.data() + (number & mask_) * stride_;
  }

  std::span<std::byte> slots_;
  std::uint64_t* consumed_;  ///< the word the consumer writes
  std::size_t payload_bytes_;
  std::size_t stride_;
  std::uint64_t mask_;
  std::uint64_t next_ = 0;           ///< the slot to write or to read
  std::uint64_t consumed_seen_ = 0;  ///< producer: the last look; consumer: the last said
  Digest digest_;
};

/// How much a block of the stream moves.
struct StreamBlock {
  std::uint64_t send = 0;     ///< messages to write to the other side
  std::uint64_t receive = 0;  ///< messages to read from it
};

/// Runs both directions at once until the block is done. Error: timed_out when the other side
/// was silent for Patience::kSilenceNs.
Expected<void> run_stream(FloorStream& out, FloorStream& in, const StreamBlock& block,
                          const runtime::TscClock& clock, bool gives_way);

/// Messages per direction in one block: a millisecond's worth or two, at least 100.
std::uint64_t stream_block_messages(std::uint64_t payload_bytes) noexcept;

}  // namespace lockstep::bench
