#include "tools/node/kv_cut.hpp"

#include <algorithm>
#include <cstdint>

#include "tools/node/kv_packet.hpp"

namespace lockstep::node {
namespace {

void append_word(std::string& text, std::uint64_t word) {
  text.append(reinterpret_cast<const char*>(&word), sizeof word);
}

}  // namespace

void KvCut::begin(const KvState& state) {
  streaming_ = true;
  last_.reset();
  before_.clear();
  piece_ = kSnapshotMagic;
  append_word(piece_, state.entries().size());
  append_word(piece_, state.digest());
  written_ = 0;
}

void KvCut::about_to_put(const KvState& state, std::string_view key) {
  if (!streaming_ || (last_ && key <= *last_) || before_.contains(key)) return;
  const std::string* old = state.find(key);
  before_.emplace(key, old == nullptr ? std::nullopt : std::optional(*old));
}

/// The next entry of the cut, as the next piece; false when there is none. No key is ever taken
/// out, so every key of the cut is still in `state`.
bool KvCut::produce(const KvState& state) {
  auto next = last_ ? state.entries().upper_bound(*last_) : state.entries().begin();
  for (; next != state.entries().end(); ++next) {
    const auto& [key, now] = *next;
    const auto old = before_.find(key);
    if (old != before_.end() && !old->second) continue;
    piece_.clear();
    append_entry(piece_, {.key = key, .value = old == before_.end() ? now : *old->second});
    written_ = 0;
    last_ = key;
    if (old != before_.end()) before_.erase(old);
    return true;
  }
  return false;
}

bool KvCut::save(const KvState& state, SnapshotWriter& writer) {
  if (writer.first()) begin(state);
  while (writer.room() > 0) {
    if (written_ == piece_.size() && !produce(state)) {
      streaming_ = false;
      before_.clear();
      return true;
    }
    const std::size_t taken = writer.write(as_bytes(std::string_view(piece_).substr(written_)));
    if (taken == 0) return false;
    written_ += taken;
  }
  return false;
}

}  // namespace lockstep::node
