#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "bench/floor.hpp"
#include "bench/patience.hpp"
#include "bench/payload.hpp"
#include "bench/session.hpp"
#include "bench/stream_meeting.hpp"
#include "bench/verbs_lane.hpp"

namespace lockstep::bench {

/// The floor of latency over verbs: one RDMA WRITE there, one back, each waited for by looking at
/// the last word of the message, as ib_write_lat does. A message is the payload, whole words and
/// at least one. Connects in the first block.
class VerbsPing final : public PingFloor {
 public:
  VerbsPing(Session& session, std::uint32_t rank);

  using PingFloor::measure;
  Expected<bool> measure(std::uint64_t round_trips, std::uint64_t timeout_ns,
                         launch::Histogram& histogram) override;
  Expected<void> echo() override;

 private:
  Expected<void> connect();
  bool send(std::uint64_t number);
  /// The next message's number, or 0 when it did not come.
  std::uint64_t receive(std::uint64_t number);

  Session& session_;
  std::uint32_t rank_;
  std::size_t message_bytes_;
  std::optional<VerbsLane> lane_;
  Patience patience_;
  std::uint64_t number_ = 0;
  std::uint64_t consumed_ = 0;
};

/// The floor of throughput over verbs: both ends write payloads into a ring at the other one, many
/// with one RDMA WRITE, and say now and then how far they have read. Ranks 0 and 1.
class VerbsStream final : public StreamFloor {
 public:
  VerbsStream(Session& session, std::uint32_t rank);

  Expected<Block> run() override;

 private:
  Expected<void> connect();
  bool produce();
  bool consume();

  Session& session_;
  std::uint32_t rank_;
  std::size_t stride_;
  std::uint64_t slots_;
  std::uint64_t messages_;
  std::optional<VerbsLane> lane_;
  Patience patience_;
  std::uint64_t to_send_ = 0;     ///< messages written in all blocks so far
  std::uint64_t to_receive_ = 0;  ///< messages read in all blocks so far
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t acknowledged_ = 0;
  Digest digest_;
  StreamMeeting meeting_;
};

}  // namespace lockstep::bench
