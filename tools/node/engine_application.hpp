#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "examples/matching_engine/engine.hpp"
#include "tools/node/application.hpp"
#include "tools/node/engine_packet.hpp"

namespace lockstep::node {

/// A replicated matching engine that takes orders from any member's clients: the same requests in
/// the same order give the same book and the same digest at every member. Messages are requests of
/// engine_packet.hpp; one that is none is counted and ignored, at every member alike.
class EngineApplication final : public Application {
 public:
  /// Room for `most_orders` resting orders, the same at every member. Throws std::bad_alloc.
  explicit EngineApplication(std::uint32_t most_orders) : engine_(most_orders) {}

  void apply(const Message& message) override;
  bool save(SnapshotWriter& writer) override { return engine_.save(writer); }
  void load(SnapshotReader& reader) override { engine_.load(reader); }

  [[nodiscard]] Expected<std::size_t> request_bytes(
      std::span<const std::byte> bytes) const override;
  [[nodiscard]] std::optional<std::string> answer(
      std::span<const std::byte> request) const override;
  [[nodiscard]] const std::string& last_reply() const noexcept override { return last_reply_; }
  void clear() override;
  [[nodiscard]] std::string summary() const override;

  [[nodiscard]] const examples::MatchingEngine& engine() const noexcept { return engine_; }

 private:
  [[nodiscard]] OrdersApplied apply_all(const EngineRequest& request, std::uint64_t sequence);
  /// Walks the book.
  [[nodiscard]] std::string reply_to_digest() const;

  examples::MatchingEngine engine_;
  std::string last_reply_;
};

}  // namespace lockstep::node
