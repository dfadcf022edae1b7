#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace lockstep::sim {

/// One message handed to the order. `id` counts the messages of its sender from 0; `hash` is that
/// of the payload.
struct Published {
  std::uint64_t at_ns = 0;
  std::uint32_t member = 0;
  std::uint64_t id = 0;
  std::uint64_t bytes = 0;
  std::uint64_t hash = 0;
};

/// One message applied at one member.
struct Delivered {
  std::uint64_t at_ns = 0;
  std::uint32_t member = 0;
  std::uint64_t sequence = 0;
  std::uint32_t sender = 0;
  std::uint64_t timestamp_ns = 0;
  std::uint64_t bytes = 0;
  std::uint64_t hash = 0;
  /// The token that came back; only for the member's own messages, whose token is their id.
  std::optional<std::uint64_t> token;
  /// Bit r: rank r has delivered this message, or holds its bytes in its own memory.
  std::uint64_t holders = ~std::uint64_t{0};
};

/// One place of an order, as the first member that delivered it saw it.
struct Place {
  std::uint64_t sequence;
  std::uint32_t sender;
  std::uint64_t hash;
  std::uint64_t timestamp_ns;
  std::uint32_t first_member;
};

/// What a checker saw that must not be: empty means nothing. One sentence or two with ranks,
/// sequences and times.
using Violation = std::optional<std::string>;

}  // namespace lockstep::sim
