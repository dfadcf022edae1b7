#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "bench/floor.hpp"
#include "bench/frame_wire.hpp"
#include "bench/patience.hpp"
#include "bench/session.hpp"

namespace lockstep::bench {

/// The floor of latency over DPDK: a burst of frames there and one back. A message is the payload,
/// at least the eight bytes of its number, in as few frames as hold it, without any head but
/// Ethernet's. Who waits spins. Opens its wire in the first block.
class FramePing final : public PingFloor {
 public:
  FramePing(Session& session, std::uint32_t rank);  ///< 0 or 1

  using PingFloor::measure;
  Expected<bool> measure(std::uint64_t round_trips, std::uint64_t timeout_ns,
                         launch::Histogram& histogram) override;
  Expected<void> echo() override;

 private:
  Expected<void> open();
  bool send(std::uint64_t number);
  /// The number of the next message, once all of it is here; 0: it is not.
  std::uint64_t look();
  /// Waits for it; 0: it did not come.
  std::uint64_t receive();

  const Session& session_;
  const std::uint32_t rank_;
  const std::size_t message_bytes_;
  Patience patience_;
  std::optional<FrameWire> wire_;
  std::uint64_t number_ = 0;
  std::uint64_t coming_ = 0;    ///< the number of the message that comes
  std::size_t came_bytes_ = 0;  ///< of it
  std::uint64_t consumed_ = 0;
};

}  // namespace lockstep::bench
