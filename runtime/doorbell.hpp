#pragma once

#include <cstdint>

#include "lockstep/error.hpp"

namespace lockstep::runtime {

/// What wakes a sleeping reactor: an eventfd(2), handed to peers on this host when they connect.
/// Ringing adds one, listening resets it, so any number of rings before a wake-up are one.
class Doorbell {
 public:
  /// Errors: system (out of descriptors).
  static Expected<Doorbell> create();
  Doorbell() = default;
  ~Doorbell();
  Doorbell(Doorbell&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  Doorbell& operator=(Doorbell&& other) noexcept;

  /// Any thread; async-signal-safe.
  void ring() const noexcept { ring_descriptor(descriptor_); }
  /// Rings the bell behind a descriptor that a peer handed over. Never blocks.
  static void ring_descriptor(int descriptor) noexcept;
  /// Forgets rings so far. The owner only.
  void reset() const noexcept;
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_ = -1;
};

}  // namespace lockstep::runtime
