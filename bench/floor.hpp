#pragma once

#include <cstdint>
#include <memory>

#include "lockstep/error.hpp"
#include "tools/launch/histogram.hpp"

namespace lockstep::bench {

struct Session;

/// The floor of latency on some medium: the bare round trip of a payload between ranks 0 and 1.
/// Each side does with the payload what members do: all of it is written and read. One object per
/// side, used by that side's thread only.
class PingFloor {
 public:
  explicit PingFloor(std::uint64_t payload_bytes) noexcept : payload_bytes_(payload_bytes) {}
  virtual ~PingFloor() = default;

  /// Of a block, and of one whose figures are thrown away.
  static constexpr std::uint64_t kRoundTrips = 1'000;
  static constexpr std::uint64_t kWarmUpRoundTrips = 100;

  /// The first side: records `round_trips` round trips, then releases the other side. Stops early
  /// after `timeout_ns`, since with fewer cores than members a block could take for ever: true if
  /// all were made. Error: timed_out when the other side was silent.
  virtual Expected<bool> measure(std::uint64_t round_trips, std::uint64_t timeout_ns,
                                 launch::Histogram& histogram) = 0;
  /// The same with the usual timeout: a second, and a nanosecond for every byte.
  Expected<bool> measure(std::uint64_t round_trips, launch::Histogram& histogram) {
    return measure(round_trips, 1'000'000'000 + round_trips * payload_bytes_, histogram);
  }
  /// The second side: answers until released. Same error.
  virtual Expected<void> echo() = 0;

 private:
  std::uint64_t payload_bytes_;
};

/// The floor of throughput: a bare stream of the senders' payloads over the links of the group.
class StreamFloor {
 public:
  virtual ~StreamFloor() = default;

  struct Block {
    std::uint64_t messages = 0;  ///< of all senders; each counts once, however many receive it
    std::uint64_t duration_ns = 0;
  };
  /// One floor block; every party calls it. Error: timed_out when another one was silent.
  virtual Expected<Block> run() = 0;
};

/// The floors of the plan's transport as `rank` sees them. The session outlives them.
std::unique_ptr<PingFloor> make_ping_floor(Session& session, std::uint32_t rank);
std::unique_ptr<StreamFloor> make_stream_floor(Session& session, std::uint32_t rank);

/// How many members, from rank 0 on, take part in the stream floor: on shared memory two, since
/// what a copy costs does not depend on who else there is; on a network all.
std::uint32_t stream_parties(const Session& session) noexcept;

}  // namespace lockstep::bench
