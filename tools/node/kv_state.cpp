#include "tools/node/kv_state.hpp"

#include <xxhash.h>

#include <cstdlib>

namespace lockstep::node {
namespace {

/// Both sizes are bound by the two hashes, so no byte can move from key to value unseen.
std::uint64_t hash_of(std::string_view key, std::string_view value) {
  const std::uint64_t seed = XXH3_64bits(key.data(), key.size());
  return XXH3_64bits_withSeed(value.data(), value.size(), seed);
}

std::size_t cost_of(std::string_view key, std::string_view value) {
  return key.size() + value.size() + kEntryCostBytes;
}

}  // namespace

std::size_t KvState::bytes_with(std::string_view key, std::string_view value) const {
  const std::string* old = find(key);
  return bytes_ + cost_of(key, value) - (old == nullptr ? 0 : cost_of(key, *old));
}

bool KvState::takes(std::string_view key, std::string_view value) const {
  return bytes_with(key, value) <= most_bytes_;
}

// The sum of the entries' hashes: it does not depend on their order, and one is taken out as easily
// as put in.
void KvState::put(std::string_view key, std::string_view value) {
  if (!takes(key, value)) std::abort();
  bytes_ = bytes_with(key, value);
  digest_ += hash_of(key, value);
  const auto found = entries_.find(key);
  if (found == entries_.end()) {
    entries_.emplace(key, value);
    return;
  }
  digest_ -= hash_of(key, found->second);
  found->second = value;
}

const std::string* KvState::find(std::string_view key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second;
}

}  // namespace lockstep::node
