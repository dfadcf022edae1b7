// What a client may say to a `lockstep node`, and what a donor may give: a request, a list and a
// snapshot. Nothing may be read out of bounds, and what is understood must mean what it says.

#include <algorithm>
#include <cstdlib>
#include <span>
#include <string_view>

#include "tests/unit/node_snapshot_pieces.hpp"
#include "tools/node/kv_packet.hpp"
#include "tools/node/kv_store.hpp"

namespace {

using namespace lockstep;
using namespace lockstep::node;

void require(bool condition) {
  if (!condition) std::abort();
}

void hear_request(std::string_view text) {
  const auto decoded = decode_request(as_bytes(text));
  if (!decoded || decoded->bytes == 0) return;
  require(decoded->bytes <= text.size() && decoded->bytes <= kMostPacketBytes);
  require(encode(decoded->packet) == text.substr(0, decoded->bytes));
}

void hear_reply(std::string_view text) {
  const auto decoded = decode_reply(as_bytes(text));
  if (!decoded || decoded->bytes == 0) return;
  require(encode(decoded->packet) == text.substr(0, decoded->bytes));
  static_cast<void>(decode_entries(decoded->packet.body));
}

/// As one message of the order: whatever it is, equal stores stay equal.
void apply(std::string_view text) {
  KvStore one(4'096);
  KvStore other(4'096);
  for (KvStore* store : {&one, &other}) {
    store->apply({.payload = as_bytes(text), .sequence = 1, .mine = store == &one});
  }
  require(one.state().digest() == other.state().digest());
}

/// The first byte says in which pieces the rest arrives.
void load(std::string_view text) {
  if (text.empty()) return;
  const std::size_t piece = 1 + static_cast<unsigned char>(text[0]) % 61U;
  KvStore store(4'096);
  const std::string failure = tests::load_in_pieces(store, text.substr(1), piece);
  require(failure.empty() || store.state().entries().empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  hear_request(text);
  hear_reply(text);
  apply(text);
  load(text);
  return 0;
}
