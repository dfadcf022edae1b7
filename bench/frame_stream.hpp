#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "bench/floor.hpp"
#include "bench/frame_wire.hpp"
#include "bench/patience.hpp"
#include "bench/payload.hpp"
#include "bench/session.hpp"
#include "bench/stream_meeting.hpp"

namespace lockstep::bench {

/// The floor of throughput over DPDK: bursts of full frames by a memif device, each with as many
/// whole payloads as it holds, or with the next part of one; between ranks 0 and 1, both ways at
/// once if there are several senders. Payloads are written in the frame and read there. One object
/// per rank. Opens its wire in the first block.
class FrameStream final : public StreamFloor {
 public:
  FrameStream(Session& session, std::uint32_t rank);

  Expected<Block> run() override;

 private:
  Expected<void> open();
  bool produce();
  bool consume();

  Session& session_;
  const std::uint32_t rank_;
  const std::size_t message_bytes_;
  const std::uint64_t messages_;  ///< a block has, of each sender
  std::optional<FrameWire> wire_;
  std::uint64_t to_send_ = 0;     ///< bytes of this block
  std::uint64_t to_receive_ = 0;  ///< the same
  std::uint64_t number_ = 0;
  Digest digest_;
  Patience patience_;
  StreamMeeting meeting_;
};

}  // namespace lockstep::bench
