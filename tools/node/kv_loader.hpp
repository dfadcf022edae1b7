#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "lockstep/snapshot.hpp"
#include "tools/node/kv_state.hpp"

namespace lockstep::node {

/// A snapshot on its way in: pieces cut anywhere become a state, or a reason why not. Holds the
/// state so far and less than one entry beside it.
class KvLoader {
 public:
  explicit KvLoader(std::size_t most_bytes) : state_(most_bytes) {}

  /// StateMachine::load: the state with the last piece, if all of it was sound. Tells the reader
  /// when it was not; pieces that follow are then ignored until a first one.
  std::optional<KvState> load(SnapshotReader& reader);

 private:
  void begin();
  /// What is wrong; empty: nothing.
  [[nodiscard]] std::string take(SnapshotReader& reader);
  [[nodiscard]] std::string take_header();
  [[nodiscard]] std::string take_entries();
  [[nodiscard]] std::string check_end() const;

  KvState state_;
  std::string unread_;
  bool failed_ = true;  ///< or not begun
  bool has_header_ = false;
  std::uint64_t announced_entries_ = 0;
  std::uint64_t announced_digest_ = 0;
};

}  // namespace lockstep::node
