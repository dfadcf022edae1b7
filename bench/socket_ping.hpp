#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bench/floor.hpp"
#include "bench/patience.hpp"
#include "runtime/clock.hpp"

namespace lockstep::bench {

/// The floor of latency over TCP or UDP: one send(2) there, one back, nothing else. A message is
/// the payload, at least the eight bytes of its number (over UDP at most a datagram). Who waits
/// spins on recv(2), or sleeps in poll(2): as the members do.
class SocketPing final : public PingFloor {
 public:
  /// `socket` stays the caller's.
  SocketPing(int socket, std::uint64_t payload_bytes, const runtime::TscClock& clock, bool sleeps);

  using PingFloor::measure;
  Expected<bool> measure(std::uint64_t round_trips, std::uint64_t timeout_ns,
                         launch::Histogram& histogram) override;
  Expected<void> echo() override;

 private:
  bool send(std::uint64_t number);
  /// The number of the next message, or 0 when it did not come.
  std::uint64_t receive();
  bool wait(short events);

  int socket_;
  std::vector<std::byte> message_;
  const runtime::TscClock& clock_;
  Patience patience_;
  bool sleeps_;
  std::uint64_t number_ = 0;
  std::uint64_t consumed_ = 0;
};

}  // namespace lockstep::bench
