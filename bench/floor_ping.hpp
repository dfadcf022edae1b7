#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bench/floor.hpp"
#include "bench/patience.hpp"
#include "lockstep/error.hpp"
#include "runtime/clock.hpp"
#include "tools/launch/histogram.hpp"

namespace lockstep::bench {

/// The floor of latency: the bare round trip of the same bytes in the same memory.
///
/// Two members bounce one slot each way. A slot is as many bytes as the payload, at least one
/// line; its first word is the flag, stored last with release and polled with acquire. So 64 bytes
/// are the plain bounce of one cache line, the physical limit of shared memory. Each side writes
/// every byte before the flag and reads every byte after it. Time runs from before the writing to
/// after the reading: the same two points as a message's.
///
/// One object per side, over the same memory; used by that side's thread only. Spins or yields,
/// never sleeps; no wait lasts longer than Patience::kSilenceNs.
class FloorPing final : public PingFloor {
 public:
  /// Shared, zeroed, 64-byte aligned memory that both sides see.
  static std::size_t memory_bytes(std::uint64_t payload_bytes) noexcept;

  FloorPing(std::span<std::byte> memory, std::uint64_t payload_bytes,
            const runtime::TscClock& clock, bool gives_way) noexcept;

  using PingFloor::measure;
  Expected<bool> measure(std::uint64_t round_trips, std::uint64_t timeout_ns,
                         launch::Histogram& histogram) override;
  Expected<void> echo() override;

 private:
  void send(std::span<std::byte> slot, std::uint64_t flag) noexcept;
  /// The flag with this number, or 0 when it did not come.
  std::uint64_t receive(std::span<std::byte> slot, std::uint64_t number) noexcept;

  std::span<std::byte> there_;
  std::span<std::byte> back_;
  const runtime::TscClock& clock_;
  Patience patience_;
  std::uint64_t number_ = 0;
  std::uint64_t consumed_ = 0;
};

}  // namespace lockstep::bench
