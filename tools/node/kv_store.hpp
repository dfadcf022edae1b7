#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lockstep/state_machine.hpp"
#include "tools/node/kv_cut.hpp"
#include "tools/node/kv_loader.hpp"
#include "tools/node/kv_packet.hpp"
#include "tools/node/kv_state.hpp"

namespace lockstep::node {

/// A replicated key-value store: the same puts in the same order give the same contents and the
/// same digest at every member. Messages are requests of kv_packet.hpp; one that is none is counted
/// and ignored, at every member alike.
class KvStore final : public StateMachine {
 public:
  explicit KvStore(std::size_t most_bytes = kMostStateBytes)
      : state_(most_bytes), loader_(most_bytes) {}

  void apply(const Message& message) override;
  bool save(SnapshotWriter& writer) override { return cut_.save(state_, writer); }
  void load(SnapshotReader& reader) override;

  /// What became of the last message, as the packet its client is to be answered with.
  [[nodiscard]] const std::string& last_reply() const noexcept { return last_reply_; }

  /// The answer to a get: the value, or that there is none.
  [[nodiscard]] std::string reply_to_get(std::string_view key) const;
  /// The answer to a list: entries behind `after` that come to at most kPageBytes, or one entry.
  [[nodiscard]] std::string reply_to_list(std::string_view after) const;

  [[nodiscard]] const KvState& state() const noexcept { return state_; }
  [[nodiscard]] std::uint64_t malformed() const noexcept { return malformed_; }
  /// Forgets everything.
  void clear() { *this = KvStore(state_.most_bytes()); }

  static constexpr std::size_t kPageBytes = std::size_t{64} << 10;

 private:
  [[nodiscard]] std::string put(const Request& request, std::uint64_t sequence);

  KvState state_;
  KvCut cut_;
  KvLoader loader_;
  std::string last_reply_;
  std::uint64_t malformed_ = 0;
};

/// The packet that says no, and why.
[[nodiscard]] std::string refusal(std::string_view why);

}  // namespace lockstep::node
