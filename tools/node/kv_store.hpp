#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lockstep/state_machine.hpp"
#include "tools/node/application.hpp"
#include "tools/node/kv_cut.hpp"
#include "tools/node/kv_loader.hpp"
#include "tools/node/kv_packet.hpp"
#include "tools/node/kv_state.hpp"

namespace lockstep::node {

/// A replicated key-value store: the same puts in the same order give the same contents and the
/// same digest at every member. Messages are requests of kv_packet.hpp; one that is none is counted
/// and ignored, at every member alike.
class KvStore final : public Application {
 public:
  explicit KvStore(std::size_t most_bytes = kMostStateBytes)
      : state_(most_bytes), loader_(most_bytes) {}

  void apply(const Message& message) override;
  bool save(SnapshotWriter& writer) override { return cut_.save(state_, writer); }
  void load(SnapshotReader& reader) override;

  [[nodiscard]] Expected<std::size_t> request_bytes(
      std::span<const std::byte> bytes) const override;
  [[nodiscard]] std::optional<std::string> answer(
      std::span<const std::byte> request) const override;
  [[nodiscard]] const std::string& last_reply() const noexcept override { return last_reply_; }

  /// The answer to a get: the value, or that there is none.
  [[nodiscard]] std::string reply_to_get(std::string_view key) const;
  /// The answer to a list: entries behind `after` that come to at most kPageBytes, or one entry.
  [[nodiscard]] std::string reply_to_list(std::string_view after) const;

  [[nodiscard]] const KvState& state() const noexcept { return state_; }
  [[nodiscard]] std::uint64_t malformed() const noexcept { return malformed_; }
  void clear() override { *this = KvStore(state_.most_bytes()); }
  [[nodiscard]] std::string summary() const override;

  static constexpr std::size_t kPageBytes = std::size_t{64} << 10;

 private:
  [[nodiscard]] std::string put(const Request& request, std::uint64_t sequence);

  KvState state_;
  KvCut cut_;
  KvLoader loader_;
  std::string last_reply_;
  std::uint64_t malformed_ = 0;
};

}  // namespace lockstep::node
