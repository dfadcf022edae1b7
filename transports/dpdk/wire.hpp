#pragma once

#include <cstddef>
#include <span>

namespace lockstep::transports::dpdk {

/// Bare frames by one device of DPDK's, with nothing above them: a burst of one each way. What a
/// group over DPDK is measured against.
///
/// One thread, which spins; nothing blocks or allocates.
class Wire {
 public:
  virtual ~Wire() = default;

  /// What a frame may carry.
  [[nodiscard]] virtual std::size_t most_bytes() const noexcept = 0;
  /// Sends a copy. False: there was no room, or nobody is connected yet.
  virtual bool send(std::span<const std::byte> payload) noexcept = 0;
  /// The payload of the next frame, valid until the next call; empty: there is none.
  virtual std::span<const std::byte> receive() noexcept = 0;
};

}  // namespace lockstep::transports::dpdk
