#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace lockstep::sim {

/// What happened in a simulation.
enum class TraceKind : std::uint8_t {
  publish,    ///< rank, id, bytes
  refuse,     ///< rank: its ring was full
  deliver,    ///< rank, sender, sequence, bytes
  sleep,      ///< rank
  wake,       ///< rank: a doorbell
  alarm,      ///< rank: its own deadline
  stall,      ///< rank, until
  torn,       ///< from, to, offset, bytes: one step of a write
  visible,    ///< from, to, offset, bytes: the last step
  complete,   ///< from, to, offset, bytes
  crash,      ///< rank
  down,       ///< rank, peer: a link went down
  lost,       ///< rank, peer, reason: the member was told
  mishap,     ///< rank, peer, kind, duration
  install,    ///< rank, its rank there, view, members
  evicted,    ///< rank
  quorum,     ///< rank: enough members are reachable again
  no_quorum,  ///< rank
  mended,     ///< rank, peer: its end of a link was made anew
};

struct TraceEvent {
  std::uint64_t at_ns = 0;
  TraceKind kind = TraceKind::publish;
  std::uint32_t rank = 0;
  std::uint32_t peer = 0;
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};

/// The last events of a simulation; or all of them, printed as they happen.
class Trace {
 public:
  explicit Trace(bool print) : print_(print) {}
  void add(const TraceEvent& event);
  /// The events kept, oldest first, one a line.
  [[nodiscard]] std::string last() const;

 private:
  static constexpr std::size_t kKept = 60;
  bool print_;
  std::array<TraceEvent, kKept> events_;
  std::uint64_t count_ = 0;
};

/// One event as one line, without its end.
std::string to_string(const TraceEvent& event);

}  // namespace lockstep::sim
