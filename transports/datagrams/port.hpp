#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "lockstep/error.hpp"
#include "transports/hello/hello_packet.hpp"
#include "transports/notices.hpp"
#include "transports/transport.hpp"

namespace lockstep::transports {

/// Where a peer is, as the port that made it understands it.
struct Destination {
  virtual ~Destination() = default;
  /// False: packets go every way that there is, until one has come from there (Port::heard).
  bool known = true;
};

/// One packet that came. `from` is the port's own word for the way it came.
struct Received {
  std::span<const std::byte> packet;
  std::uint64_t from = 0;
};

/// Carries packets between members: a socket, a queue of a network card. It may lose, double and
/// reorder them; packets that are too large, or none of ours, are the packet layer's to reject.
///
/// The reactor's thread only, but `place` and `find`. Nothing blocks or allocates but these.
class Port {
 public:
  virtual ~Port() = default;
  [[nodiscard]] virtual Medium medium() const noexcept = 0;

  /// What peers must be told to send here; at most kMostPlaceBytes.
  static constexpr std::size_t kMostPlaceBytes = 256;
  [[nodiscard]] virtual std::string place() const = 0;
  /// Where the peer is that says `place`, and whose control connection came from `host`. Anything
  /// may have been said. Errors: mismatch.
  virtual Expected<std::unique_ptr<Destination>> find(const std::string& host,
                                                      std::string_view place) const = 0;
  /// Of the largest packet that can be sent there in one piece.
  [[nodiscard]] virtual std::size_t packet_bytes_to(const Destination& to) const = 0;
  /// Of the largest packet that is taken here.
  [[nodiscard]] virtual std::size_t most_packet_bytes() const noexcept = 0;
  /// Packets that each peer may have on their way to here, so that none is lost for want of room.
  [[nodiscard]] virtual std::uint32_t credit() const noexcept = 0;

  /// Collects one packet. False: there is no room; nothing was taken. Neither the bytes nor `to`
  /// may change or go until `submit`.
  virtual bool collect(std::span<const std::byte> packet, const Destination& to) noexcept = 0;
  /// Sends what was collected.
  virtual void submit() noexcept = 0;

  static constexpr std::size_t kBatch = 32;
  /// Packets that came, at most kBatch; valid until the next call.
  virtual std::span<const Received> receive() noexcept = 0;
  /// The last `receive` took as much as it may: another may find more.
  [[nodiscard]] virtual bool more() const noexcept = 0;
  /// A packet that came `from` there was sealed by the peer of `to`.
  virtual void heard(Destination& /*to*/, std::uint64_t /*from*/) noexcept {}

  /// A device of this port is gone for good; `reaches` tells whose way it was.
  [[nodiscard]] virtual bool lost_something() const noexcept { return false; }
  [[nodiscard]] virtual bool reaches(const Destination& /*to*/) const noexcept { return true; }

  /// Readable when `receive` is worth a call.
  [[nodiscard]] virtual int descriptor() const noexcept = 0;
  /// The reactor is about to wait for that. Where only looking tells whether something came, it is
  /// readable after a while.
  virtual void announce_sleep() noexcept {}
};

}  // namespace lockstep::transports
