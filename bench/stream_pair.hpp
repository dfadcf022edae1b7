#pragma once

#include "bench/floor.hpp"
#include "bench/floor_stream.hpp"
#include "bench/session.hpp"
#include "bench/stream_meeting.hpp"

namespace lockstep::bench {

/// Ranks 0 and 1 as the two ends of the throughput floor: both directions at once when the plan
/// has several senders, else only from rank 0 to rank 1. One object per rank.
class StreamPair final : public StreamFloor {
 public:
  StreamPair(Session& session, std::uint32_t rank) noexcept;

  Expected<Block> run() override;

 private:
  Session& session_;
  StreamMeeting meeting_;
  FloorStream out_;
  FloorStream in_;
  StreamBlock part_;
};

}  // namespace lockstep::bench
