#include "tools/node/engine_application.hpp"

#include <fmt/format.h>

namespace lockstep::node {
namespace {

using examples::EngineCounts;

EngineCounts difference(const EngineCounts& after, const EngineCounts& before) {
  return {.orders = after.orders - before.orders,
          .malformed = after.malformed - before.malformed,
          .events = after.events - before.events,
          .fills = after.fills - before.fills,
          .unknown_ids = after.unknown_ids - before.unknown_ids,
          .unknown_executions = after.unknown_executions - before.unknown_executions,
          .rejected = after.rejected - before.rejected,
          .trade_prints = after.trade_prints - before.trade_prints};
}

}  // namespace

void EngineApplication::apply(const Message& message) {
  const auto decoded = decode_engine_request(message.payload);
  const bool whole = decoded && decoded->bytes > 0 && decoded->bytes == message.payload.size();
  if (whole && decoded->packet.kind == EngineRequestKind::orders) {
    const OrdersApplied applied = apply_all(decoded->packet, message.sequence);
    if (message.mine) last_reply_ = encode_reply(applied);
  } else if (whole && decoded->packet.kind == EngineRequestKind::ordered_digest) {
    // Changes nothing: only the member that asked needs the answer.
    if (message.mine) last_reply_ = reply_to_digest();
  } else {
    engine_.ignore_malformed();
    last_reply_ = refusal("not a request that goes through the order");
  }
}

OrdersApplied EngineApplication::apply_all(const EngineRequest& request, std::uint64_t sequence) {
  const EngineCounts before = engine_.counts();
  for (std::size_t place = 0; place < request.count(); ++place) {
    engine_.apply(request.order(place));
  }
  return {.sequence = sequence, .counts = difference(engine_.counts(), before)};
}

Expected<std::size_t> EngineApplication::request_bytes(std::span<const std::byte> bytes) const {
  const auto decoded = decode_engine_request(bytes);
  if (!decoded) return std::unexpected(decoded.error());
  return decoded->bytes;
}

std::optional<std::string> EngineApplication::answer(std::span<const std::byte> request) const {
  const auto decoded = decode_engine_request(request);
  if (!decoded) return refusal(decoded.error().message);
  if (decoded->packet.kind == EngineRequestKind::digest) return reply_to_digest();
  return std::nullopt;
}

void EngineApplication::clear() {
  engine_.clear();
  last_reply_.clear();
}

std::string EngineApplication::reply_to_digest() const {
  return encode_reply(EngineDigest{
      .digest = engine_.digest(), .resting = engine_.book().size(), .counts = engine_.counts()});
}

std::string EngineApplication::summary() const {
  return fmt::format("{} orders, {} rest, digest {}", engine_.counts().orders,
                     engine_.book().size(), examples::to_hex(engine_.digest()));
}

}  // namespace lockstep::node
