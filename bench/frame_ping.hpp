#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/floor.hpp"
#include "bench/patience.hpp"
#include "runtime/clock.hpp"
#include "transports/dpdk/wire.hpp"

namespace lockstep::bench {

/// The floor of latency over DPDK: one frame there and one back by a memif device that the two ends
/// have for this alone, a burst of one each. A frame is the payload, at least the eight bytes of
/// its number, without any head but Ethernet's. Who waits spins.
class FramePing final : public PingFloor {
 public:
  /// `name` is the same at both ends and nowhere else; rank 0 or 1.
  FramePing(std::string name, std::uint32_t rank, std::uint64_t payload_bytes,
            const runtime::TscClock& clock, bool gives_way);

  using PingFloor::measure;
  Expected<bool> measure(std::uint64_t round_trips, std::uint64_t timeout_ns,
                         launch::Histogram& histogram) override;
  Expected<void> echo() override;

 private:
  Expected<void> open();
  bool send(std::uint64_t number);
  /// The number of the next frame; 0: none has come.
  std::uint64_t look();
  /// Waits for that answer.
  bool receive(std::uint64_t number);

  std::string name_;
  std::uint32_t rank_;
  std::vector<std::byte> message_;
  const runtime::TscClock& clock_;
  Patience patience_;
  std::unique_ptr<transports::dpdk::Wire> wire_;
  bool met_ = false;
  std::uint64_t number_ = 0;
  std::uint64_t consumed_ = 0;
};

}  // namespace lockstep::bench
