#pragma once

#include <cstddef>
#include <span>

namespace lockstep::transports::dpdk {

/// Bare frames by one device of DPDK's, with nothing above them, in bursts. What a group over DPDK
/// is measured against.
///
/// One thread, which spins; nothing blocks or allocates.
class Wire {
 public:
  virtual ~Wire() = default;

  /// What a frame may carry.
  [[nodiscard]] virtual std::size_t most_bytes() const noexcept = 0;
  /// Room for the payload of a frame, which goes with the next `submit`; null: there is none now,
  /// or nobody is connected.
  virtual std::byte* collect(std::size_t bytes) noexcept = 0;
  /// Sends what was collected, in one burst. False: some of it had to stay, for the next call.
  virtual bool submit() noexcept = 0;
  /// The payload of the next frame, valid until the next call; empty: there is none.
  virtual std::span<const std::byte> receive() noexcept = 0;
};

}  // namespace lockstep::transports::dpdk
