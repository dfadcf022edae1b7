#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "examples/matching_engine/engine.hpp"
#include "examples/matching_engine/order_message.hpp"
#include "lockstep/error.hpp"
#include "tools/node/packet.hpp"

namespace lockstep::node {

/// What clients of the matching engine say, and what they are told. Orders go into the group as the
/// same bytes, so there is one decoder for clients and members.

/// 40 KiB, a fraction of a millisecond to apply; a member's own limit is mostly lower.
inline constexpr std::size_t kMostOrdersPerRequest = 1'024;
/// As many as a message has room for, unless group.mailbox_payload_bytes was set.
inline constexpr std::size_t kUsualOrdersPerRequest = 25;
static_assert(kPacketHeaderBytes + kUsualOrdersPerRequest * sizeof(examples::OrderMessage) <=
              1'024);

enum class EngineRequestKind : std::uint8_t {
  orders = 1,          ///< answered when this member has applied them all
  digest = 2,          ///< of the state that this member has now
  ordered_digest = 3,  ///< of the state at a place in the order after the request
};

/// A view into the bytes it was decoded from.
struct EngineRequest {
  EngineRequestKind kind = EngineRequestKind::digest;
  std::string_view orders{};  ///< OrderMessages in a row, anywhere in memory

  [[nodiscard]] std::size_t count() const noexcept {
    return orders.size() / sizeof(examples::OrderMessage);
  }
  [[nodiscard]] examples::OrderMessage order(std::size_t place) const noexcept;
};

/// Any bytes; refuses as soon as they cannot become a packet. What it returns holds orders that the
/// engine knows, and no end of input: a node has none. Errors: input, in words for the peer.
Expected<Decoded<EngineRequest>> decode_engine_request(std::span<const std::byte> bytes);
/// Asserts that 1 to kMostOrdersPerRequest are there.
[[nodiscard]] std::string encode_orders(std::span<const examples::OrderMessage> orders);
[[nodiscard]] std::string encode_digest_request(bool ordered);

/// The body of a reply to orders: their place in the order, and what they came to.
struct OrdersApplied {
  std::uint64_t sequence = 0;
  examples::EngineCounts counts;
};
/// The body of a reply to a digest: all that was applied since the beginning of the group.
struct EngineDigest {
  std::uint64_t digest = 0;
  std::uint64_t resting = 0;
  examples::EngineCounts counts;
};
// Copied as they stand.
static_assert(std::has_unique_object_representations_v<OrdersApplied>);
static_assert(std::has_unique_object_representations_v<EngineDigest>);
static_assert(sizeof(OrdersApplied) == 72 && sizeof(EngineDigest) == 80);

[[nodiscard]] std::string encode_reply(const OrdersApplied& applied);
[[nodiscard]] std::string encode_reply(const EngineDigest& digest);
/// Errors: input.
Expected<OrdersApplied> decode_orders_applied(const Reply& reply);
Expected<EngineDigest> decode_engine_digest(const Reply& reply);

}  // namespace lockstep::node
