#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "lockstep/error.hpp"
#include "tools/node/address.hpp"
#include "tools/node/kv_packet.hpp"

namespace lockstep::node {

/// A client of one member, for programs that may wait. Blocks, for at most the deadline it was
/// made with, over all its calls together. Errors of all calls: system (the connection), timed_out,
/// input (what answers is no member), invalid_argument (the member refuses; its reason).
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
  KvClient(std::string address, Descriptor socket, std::uint64_t deadline_ms,
           std::uint64_t timeout_ms)
      : address_(std::move(address)),
        socket_(std::move(socket)),
        deadline_ms_(deadline_ms),
        timeout_ms_(timeout_ms) {}
  /// The reply is valid until the next call.
  Expected<Reply> ask(const Request& request);
  Expected<void> send(std::string_view packet);
  Expected<Reply> receive();
  Expected<void> wait_for(short event);

  std::string address_;
  Descriptor socket_;
  std::uint64_t deadline_ms_;
  std::uint64_t timeout_ms_;
  std::string received_;
};

}  // namespace lockstep::node
