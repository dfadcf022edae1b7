#pragma once

#include <cstdint>

namespace lockstep::transports {

/// What happened to the packets of a link, or of all links, for counters and tests. Numbers of
/// packets.
struct PacketCounts {
  std::uint64_t sent = 0;  ///< with a body, for the first time
  std::uint64_t sent_again = 0;
  std::uint64_t acknowledgements_sent = 0;  ///< alone
  std::uint64_t received = 0;               ///< with a body, in order or early
  std::uint64_t received_again = 0;         ///< what was here before
  std::uint64_t rejected = 0;               ///< what no correct peer of this link sends

  PacketCounts& operator+=(const PacketCounts& other) noexcept {
    sent += other.sent;
    sent_again += other.sent_again;
    acknowledgements_sent += other.acknowledgements_sent;
    received += other.received;
    received_again += other.received_again;
    rejected += other.rejected;
    return *this;
  }
};

}  // namespace lockstep::transports
