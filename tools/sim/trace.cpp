#include "tools/sim/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "transports/transport.hpp"

namespace lockstep::sim {
namespace {

std::string words(const TraceEvent& event) {
  switch (event.kind) {
    case TraceKind::publish:
      return fmt::format("publishes message {} of {} bytes", event.first, event.second);
    case TraceKind::refuse:
      return "may not publish: its ring is full";
    case TraceKind::deliver:
      return fmt::format("delivers sequence {} of sender {}, {} bytes", event.first, event.peer,
                         event.second);
    case TraceKind::sleep:
      return "sleeps";
    case TraceKind::wake:
      return "is woken by a doorbell";
    case TraceKind::alarm:
      return "is woken by its own deadline";
    case TraceKind::stall:
      return fmt::format("stalls until {}", event.first);
    case TraceKind::torn:
      return fmt::format("sees part of a write of {}, {} bytes at {}", event.peer, event.second,
                         event.first);
    case TraceKind::visible:
      return fmt::format("sees the whole write of {}, {} bytes at {}", event.peer, event.second,
                         event.first);
    case TraceKind::complete:
      return fmt::format("completes a write to {}, {} bytes at {}", event.peer, event.second,
                         event.first);
    case TraceKind::crash:
      return "crashes";
    case TraceKind::down:
      return fmt::format("loses its link to {}", event.peer);
    case TraceKind::lost:
      return fmt::format("reports rank {} lost: {}", event.peer,
                         transports::to_string(static_cast<transports::DownReason>(event.first)));
    case TraceKind::mishap:
      return fmt::format("meets mishap {} with {} for {} ns", event.first, event.peer,
                         event.second);
    case TraceKind::install:
      return fmt::format("installs view {} of {} members, as rank {}", event.first, event.second,
                         event.peer);
    case TraceKind::mended:
      return fmt::format("has a new link to rank {}", event.peer);
    case TraceKind::evicted:
      return "is evicted";
    case TraceKind::quorum:
      return "has a quorum again";
    case TraceKind::no_quorum:
      return "has no quorum";
  }
  return {};
}

}  // namespace

void Trace::add(const TraceEvent& event) {
  events_[count_++ % kKept] = event;
  if (print_) std::puts(to_string(event).c_str());
}

std::string Trace::last() const {
  std::string lines;
  for (std::uint64_t i = count_ - std::min<std::uint64_t>(count_, kKept); i < count_; ++i) {
    lines += to_string(events_[i % kKept]) + "\n";
  }
  return lines;
}

std::string to_string(const TraceEvent& event) {
  return fmt::format("{:>12} ns  rank {} {}", event.at_ns, event.rank, words(event));
}

}  // namespace lockstep::sim
