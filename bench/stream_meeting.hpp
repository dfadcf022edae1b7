#pragma once

#include <cstdint>

#include "bench/floor.hpp"
#include "bench/patience.hpp"
#include "bench/session.hpp"

namespace lockstep::bench {

/// Where the parties of a stream floor wait for one another, before and after a block. One object
/// per party.
class StreamMeeting {
 public:
  StreamMeeting(Session& session, bool gives_way) noexcept
      : session_(session), gives_way_(gives_way) {}

  /// Error: timed_out when another party was silent.
  Expected<void> meet() {
    Patience patience(session_.clock, gives_way_);
    ++meetings_;
    LoneWord& streamed = session_.control().streamed;
    streamed.add(1);
    while (streamed.load() < stream_parties(session_) * meetings_) {
      if (!patience.wait()) return silent_pair();
    }
    return {};
  }

 private:
  Session& session_;
  const bool gives_way_;
  std::uint64_t meetings_ = 0;
};

}  // namespace lockstep::bench
