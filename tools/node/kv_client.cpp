#include "tools/node/kv_client.hpp"

#include <fmt/format.h>

#include <cstring>

namespace lockstep::node {

Expected<KvClient> KvClient::connect(const Address& address, std::uint64_t timeout_ms) {
  auto connection = MemberConnection::connect(address, timeout_ms);
  if (!connection) return std::unexpected(connection.error());
  return KvClient(std::move(*connection));
}

Expected<std::uint64_t> KvClient::put(std::string_view key, std::string_view value) {
  const auto reply =
      connection_.ask(encode(Request{.kind = RequestKind::put, .key = key, .value = value}));
  if (!reply) return std::unexpected(reply.error());
  std::uint64_t sequence = 0;
  if (reply->body.size() != sizeof sequence) {
    return fail(ErrorCode::input, fmt::format("{} confirmed a put in a way that no member does",
                                              connection_.address()));
  }
  std::memcpy(&sequence, reply->body.data(), sizeof sequence);
  return sequence;
}

Expected<std::optional<std::string>> KvClient::get(std::string_view key, bool ordered) {
  const auto reply = connection_.ask(
      encode(Request{.kind = ordered ? RequestKind::ordered_get : RequestKind::get, .key = key}));
  if (!reply) return std::unexpected(reply.error());
  if (reply->status == ReplyStatus::absent) return std::nullopt;
  return std::string(reply->body);
}

Expected<void> KvClient::list(const std::function<void(const Entry&)>& take) {
  std::string after;
  for (;;) {
    const auto reply = connection_.ask(encode(Request{.kind = RequestKind::list, .key = after}));
    if (!reply) return std::unexpected(reply.error());
    const auto entries = decode_entries(reply->body);
    if (!entries) return std::unexpected(entries.error());
    for (const Entry& entry : *entries) take(entry);
    if (!reply->more || entries->empty()) return {};
    after = entries->back().key;
  }
}

}  // namespace lockstep::node
