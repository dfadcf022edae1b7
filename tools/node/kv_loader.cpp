#include "tools/node/kv_loader.hpp"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "tools/node/kv_cut.hpp"
#include "tools/node/kv_packet.hpp"

namespace lockstep::node {

void KvLoader::begin() {
  state_ = KvState(state_.most_bytes());
  unread_.clear();
  failed_ = false;
  has_header_ = false;
}

std::optional<KvState> KvLoader::load(SnapshotReader& reader) {
  if (reader.first()) begin();
  if (failed_) return std::nullopt;
  if (std::string fault = take(reader); !fault.empty()) {
    begin();
    failed_ = true;
    reader.fail("the snapshot of the key-value store is damaged: " + std::move(fault));
    return std::nullopt;
  }
  if (!reader.last()) return std::nullopt;
  failed_ = true;  // nothing may follow
  return std::exchange(state_, KvState(state_.most_bytes()));
}

std::string KvLoader::take(SnapshotReader& reader) {
  const auto bytes = reader.bytes();
  unread_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!has_header_) {
    if (std::string fault = take_header(); !fault.empty()) return fault;
  }
  if (has_header_) {
    if (std::string fault = take_entries(); !fault.empty()) return fault;
  }
  return reader.last() ? check_end() : std::string();
}

std::string KvLoader::take_header() {
  if (unread_.size() < kSnapshotHeaderBytes) return {};
  if (!unread_.starts_with(kSnapshotMagic)) {
    return fmt::format("it does not begin with {}", kSnapshotMagic);
  }
  std::memcpy(&announced_entries_, unread_.data() + 8, sizeof announced_entries_);
  std::memcpy(&announced_digest_, unread_.data() + 16, sizeof announced_digest_);
  unread_.erase(0, kSnapshotHeaderBytes);
  has_header_ = true;
  return {};
}

std::string KvLoader::take_entries() {
  std::string_view rest = unread_;
  for (;;) {
    const auto next = decode_entry(rest);
    if (!next) return next.error().message;
    if (next->bytes == 0) break;
    const auto& [key, value] = next->packet;
    const auto& entries = state_.entries();
    if (!entries.empty() && key <= entries.rbegin()->first) return "its keys do not ascend";
    if (!state_.takes(key, value)) {
      return fmt::format("it holds more than the {} bytes that a store takes", state_.most_bytes());
    }
    state_.put(key, value);
    rest.remove_prefix(next->bytes);
  }
  unread_.erase(0, unread_.size() - rest.size());
  return {};
}

std::string KvLoader::check_end() const {
  if (!has_header_ || !unread_.empty()) return "it ends too early";
  if (state_.entries().size() != announced_entries_) {
    return fmt::format("{} entries announced, {} found", announced_entries_,
                       state_.entries().size());
  }
  if (state_.digest() != announced_digest_) {
    return fmt::format("digest {:016x} announced, {:016x} found", announced_digest_,
                       state_.digest());
  }
  return {};
}

}  // namespace lockstep::node
