#include "tools/node/kv_store.hpp"

#include <fmt/format.h>

#include <utility>

namespace lockstep::node {

void KvStore::apply(const Message& message) {
  const auto decoded = decode_request(message.payload);
  const bool whole = decoded && decoded->bytes > 0 && decoded->bytes == message.payload.size();
  if (whole && decoded->packet.kind == RequestKind::put) {
    last_reply_ = put(decoded->packet, message.sequence);
  } else if (whole && decoded->packet.kind == RequestKind::ordered_get) {
    // Changes nothing: only the member that asked needs the answer.
    if (message.mine) last_reply_ = reply_to_get(decoded->packet.key);
  } else {
    ++malformed_;
    last_reply_ = refusal("not a request that goes through the order");
  }
}

std::string KvStore::put(const Request& request, std::uint64_t sequence) {
  if (!state_.takes(request.key, request.value)) {
    return refusal(
        fmt::format("the store is full: all entries may take {} bytes, {} of them each "
                    "beside key and value",
                    state_.most_bytes(), kEntryCostBytes));
  }
  cut_.about_to_put(state_, request.key);
  state_.put(request.key, request.value);
  return encode(Reply{.body = {reinterpret_cast<const char*>(&sequence), sizeof sequence}});
}

void KvStore::load(SnapshotReader& reader) {
  if (auto loaded = loader_.load(reader)) {
    state_ = std::move(*loaded);
    cut_ = KvCut();
  }
}

Expected<std::size_t> KvStore::request_bytes(std::span<const std::byte> bytes) const {
  const auto decoded = decode_request(bytes);
  if (!decoded) return std::unexpected(decoded.error());
  return decoded->bytes;
}

std::optional<std::string> KvStore::answer(std::span<const std::byte> request) const {
  const auto decoded = decode_request(request);
  if (!decoded) return refusal(decoded.error().message);
  if (decoded->packet.kind == RequestKind::get) return reply_to_get(decoded->packet.key);
  if (decoded->packet.kind == RequestKind::list) return reply_to_list(decoded->packet.key);
  return std::nullopt;
}

std::string KvStore::summary() const {
  return fmt::format("{} keys, digest {:016x}", state_.entries().size(), state_.digest());
}

std::string KvStore::reply_to_get(std::string_view key) const {
  const std::string* value = state_.find(key);
  if (value == nullptr) return encode(Reply{.status = ReplyStatus::absent});
  return encode(Reply{.body = *value});
}

std::string KvStore::reply_to_list(std::string_view after) const {
  std::string list;
  auto next = state_.entries().upper_bound(after);
  for (; next != state_.entries().end(); ++next) {
    const std::size_t bytes = kEntryHeaderBytes + next->first.size() + next->second.size();
    if (!list.empty() && list.size() + bytes > kPageBytes) break;
    append_entry(list, {.key = next->first, .value = next->second});
  }
  return encode(Reply{.more = next != state_.entries().end(), .body = list});
}

}  // namespace lockstep::node
