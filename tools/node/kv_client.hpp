#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lockstep/error.hpp"
#include "tools/node/address.hpp"
#include "tools/node/kv_packet.hpp"
#include "tools/node/member_connection.hpp"

namespace lockstep::node {

/// A client of one member that serves a key-value store, for programs that may wait. Blocks, for at
/// most the time it was made with, over all its calls together. Errors of all calls: those of
/// MemberConnection.
class KvClient {
 public:
  static Expected<KvClient> connect(const Address& address, std::uint64_t timeout_ms);

  /// The place in the order at which it was applied.
  Expected<std::uint64_t> put(std::string_view key, std::string_view value);
  /// Nothing: there is no such key. `ordered`: at a place in the order after the call, so that it
  /// sees all puts that any client was told of before.
  Expected<std::optional<std::string>> get(std::string_view key, bool ordered);
  /// Every entry in turn, page by page: puts meanwhile may or may not be seen.
  Expected<void> list(const std::function<void(const Entry&)>& take);

 private:
  explicit KvClient(MemberConnection connection) : connection_(std::move(connection)) {}

  MemberConnection connection_;
};

}  // namespace lockstep::node
