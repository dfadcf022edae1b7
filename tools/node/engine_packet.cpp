#include "tools/node/engine_packet.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>

namespace lockstep::node {
namespace {

using examples::OrderKind;
using examples::OrderMessage;
using examples::Side;

constexpr PacketMagic kRequestMagic = {'L', 'M', 'E', '1'};

std::unexpected<Error> malformed(std::string message) {
  return fail(ErrorCode::input, std::move(message));
}

Expected<void> check(const PacketHeader& header) {
  if (header.kind < static_cast<std::uint8_t>(EngineRequestKind::orders) ||
      header.kind > static_cast<std::uint8_t>(EngineRequestKind::ordered_digest) ||
      header.more != 0 || header.key_bytes != 0) {
    return malformed(fmt::format(
        "request of unknown kind {}; known: 1 orders, 2 digest, 3 ordered digest", header.kind));
  }
  const bool has_orders = static_cast<EngineRequestKind>(header.kind) == EngineRequestKind::orders;
  if (!has_orders) {
    if (header.value_bytes == 0) return {};
    return malformed(fmt::format("a question with {} bytes behind it", header.value_bytes));
  }
  if (header.value_bytes == 0 || header.value_bytes % sizeof(OrderMessage) != 0 ||
      header.value_bytes / sizeof(OrderMessage) > kMostOrdersPerRequest) {
    return malformed(fmt::format("orders of {} bytes; 1 to {} orders of {} bytes each are taken",
                                 header.value_bytes, kMostOrdersPerRequest, sizeof(OrderMessage)));
  }
  return {};
}

Expected<void> check(const EngineRequest& request) {
  for (std::size_t place = 0; place < request.count(); ++place) {
    const OrderMessage order = request.order(place);
    const bool known =
        order.kind >= OrderKind::add_limit && order.kind <= OrderKind::trading_status;
    if (known && (order.side == Side::buy || order.side == Side::sell)) continue;
    return malformed(
        fmt::format("order {} of {} is of kind {} and side {}; kinds {} to {} and "
                    "sides 1 and 2 are taken",
                    place + 1, request.count(), static_cast<unsigned>(order.kind),
                    static_cast<unsigned>(order.side), static_cast<unsigned>(OrderKind::add_limit),
                    static_cast<unsigned>(OrderKind::trading_status)));
  }
  return {};
}

void require(bool condition) {
  if (!condition) std::abort();
}

std::string encode_request(EngineRequestKind kind, std::string_view orders) {
  const PacketHeader header{.magic = kRequestMagic,
                            .kind = static_cast<std::uint8_t>(kind),
                            .more = 0,
                            .key_bytes = 0,
                            .value_bytes = static_cast<std::uint32_t>(orders.size())};
  require(check(header).has_value());
  return encode(header, {}, orders);
}

template <class Body>
std::string encode_body(const Body& body) {
  return encode(Reply{.body = {reinterpret_cast<const char*>(&body), sizeof body}});
}

template <class Body>
Expected<Body> decode_body(const Reply& reply) {
  Body body;
  if (reply.body.size() != sizeof body) {
    return malformed("a reply that no member with a matching engine gives");
  }
  std::memcpy(&body, reply.body.data(), sizeof body);
  return body;
}

}  // namespace

OrderMessage EngineRequest::order(std::size_t place) const noexcept {
  OrderMessage order;
  std::memcpy(&order, orders.data() + place * sizeof order, sizeof order);
  return order;
}

Expected<Decoded<EngineRequest>> decode_engine_request(std::span<const std::byte> bytes) {
  const std::string_view text = as_text(bytes);
  const auto head = decode_header(text, kRequestMagic, "the matching engine");
  if (!head) return std::unexpected(head.error());
  if (head->bytes == 0) return Decoded<EngineRequest>{};
  const PacketHeader& header = head->packet;
  if (auto fine = check(header); !fine) return std::unexpected(fine.error());
  const std::size_t all = sizeof header + header.value_bytes;
  if (text.size() < all) return Decoded<EngineRequest>{};
  const EngineRequest request{.kind = static_cast<EngineRequestKind>(header.kind),
                              .orders = text.substr(sizeof header, header.value_bytes)};
  if (auto fine = check(request); !fine) return std::unexpected(fine.error());
  return Decoded<EngineRequest>{.bytes = all, .packet = request};
}

std::string encode_orders(std::span<const OrderMessage> orders) {
  return encode_request(EngineRequestKind::orders, as_text(std::as_bytes(orders)));
}

std::string encode_digest_request(bool ordered) {
  return encode_request(ordered ? EngineRequestKind::ordered_digest : EngineRequestKind::digest,
                        {});
}

std::string encode_reply(const OrdersApplied& applied) { return encode_body(applied); }
std::string encode_reply(const EngineDigest& digest) { return encode_body(digest); }

Expected<OrdersApplied> decode_orders_applied(const Reply& reply) {
  return decode_body<OrdersApplied>(reply);
}
Expected<EngineDigest> decode_engine_digest(const Reply& reply) {
  return decode_body<EngineDigest>(reply);
}

}  // namespace lockstep::node
