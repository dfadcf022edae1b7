#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "examples/matching_engine/order_book.hpp"
#include "examples/matching_engine/order_event.hpp"
#include "lockstep/error.hpp"

namespace lockstep::examples {

/// All that makes one engine equal to another: what it did so far, and the book as it rests. Where
/// orders lie in the pools is no part of it: no event depends on that.
struct EngineSnapshot {
  std::uint64_t most_orders = 0;  ///< room of the book; another room would refuse other orders
  std::uint64_t orders = 0;
  std::uint64_t malformed = 0;
  bool finished = false;
  std::uint64_t events_digest = 0;
  std::array<std::uint64_t, kEventKinds> events_by_kind{};
  std::uint64_t unknown_executions = 0;
  /// By instrument, buy before sell, best price first, oldest first.
  std::vector<RestingOrder> resting{};

  bool operator==(const EngineSnapshot&) const = default;
};

/// As bytes, little-endian: a head of fixed size with a check over everything, then 24 bytes per
/// resting order. Equal snapshots give equal bytes. Allocates.
std::vector<std::byte> encode(const EngineSnapshot& snapshot);

/// The most bytes that the snapshot of an engine with room for `most_orders` can have.
std::size_t most_snapshot_bytes(std::uint64_t most_orders) noexcept;

/// What `encode` made of a snapshot; whether an engine can be in that state is not asked here.
/// Allocates no more than `bytes` has. Errors: input (truncated, damaged, not a snapshot).
Expected<EngineSnapshot> decode(std::span<const std::byte> bytes);

}  // namespace lockstep::examples
