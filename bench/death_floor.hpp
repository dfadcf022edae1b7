#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "lockstep/error.hpp"
#include "runtime/clock.hpp"

namespace lockstep::bench {

/// Memory that a process has and has touched, on small pages: what the kernel must give back when
/// it is killed. Move-only; unmaps when it ends.
class ResidentMemory {
 public:
  /// Errors: no_memory.
  static Expected<ResidentMemory> touch(std::uint64_t mib);
  ~ResidentMemory();
  ResidentMemory(ResidentMemory&& other) noexcept : memory_(std::exchange(other.memory_, {})) {}
  ResidentMemory& operator=(ResidentMemory&&) = delete;

 private:
  explicit ResidentMemory(std::span<std::byte> memory) noexcept : memory_(memory) {}
  std::span<std::byte> memory_;
};

/// How long it takes from kill(2) of an idle process with `resident_mib` until this one, which
/// spins, sees the first sign of it: in a robust mutex ("shm", "auto"), else the end of a socket.
/// Forks. Errors: system, timed_out (also: no memory for it).
Expected<std::uint64_t> time_a_death(const runtime::TscClock& clock, const std::string& transport,
                                     std::uint64_t resident_mib);

}  // namespace lockstep::bench
