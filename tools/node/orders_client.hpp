#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "lockstep/error.hpp"
#include "tools/node/engine_packet.hpp"
#include "tools/node/member_connection.hpp"

namespace lockstep::node {

/// A client of one member that runs the matching engine, for programs that may wait. Blocks, for at
/// most the time it was made with, at each call. Errors of all calls: those of MemberConnection.
class OrdersClient {
 public:
  static Expected<OrdersClient> connect(const Address& address, std::uint64_t timeout_ms);

  /// 1 to kMostOrdersPerRequest orders, as one message: applied one after another, with no other
  /// client's between them, or none of them. Returns when this member has applied them.
  Expected<OrdersApplied> send(std::span<const examples::OrderMessage> orders);
  /// `ordered`: at a place in the order after the call, so that it covers all orders that any
  /// client was told of before.
  Expected<EngineDigest> digest(bool ordered);

 private:
  explicit OrdersClient(MemberConnection connection) : connection_(std::move(connection)) {}

  MemberConnection connection_;
};

}  // namespace lockstep::node
