#include "tools/node/orders_client.hpp"

namespace lockstep::node {

Expected<OrdersClient> OrdersClient::connect(const Address& address, std::uint64_t timeout_ms) {
  auto connection = MemberConnection::connect(address, timeout_ms);
  if (!connection) return std::unexpected(connection.error());
  return OrdersClient(std::move(*connection));
}

Expected<OrdersApplied> OrdersClient::send(std::span<const examples::OrderMessage> orders) {
  connection_.go_on();
  const auto reply = connection_.ask(encode_orders(orders));
  if (!reply) return std::unexpected(reply.error());
  return decode_orders_applied(*reply);
}

Expected<EngineDigest> OrdersClient::digest(bool ordered) {
  connection_.go_on();
  const auto reply = connection_.ask(encode_digest_request(ordered));
  if (!reply) return std::unexpected(reply.error());
  return decode_engine_digest(*reply);
}

}  // namespace lockstep::node
