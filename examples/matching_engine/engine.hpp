#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "examples/matching_engine/digest.hpp"
#include "examples/matching_engine/engine_snapshot.hpp"
#include "examples/matching_engine/order_book.hpp"
#include "examples/matching_engine/order_event.hpp"
#include "examples/matching_engine/order_message.hpp"
#include "lockstep/error.hpp"
#include "lockstep/state_machine.hpp"

namespace lockstep::examples {

/// What an engine has done so far. Trivially copyable: a member leaves it in shared memory.
struct EngineCounts {
  std::uint64_t orders = 0;     ///< OrderMessages applied, the end of input not counted
  std::uint64_t malformed = 0;  ///< messages that are no OrderMessage: ignored
  std::uint64_t events = 0;
  std::uint64_t fills = 0;
  std::uint64_t unknown_ids = 0;         ///< cancels, reductions, … of orders that do not rest
  std::uint64_t unknown_executions = 0;  ///< those of them that were executions
  std::uint64_t rejected = 0;
  std::uint64_t trade_prints = 0;  ///< hidden executions and auctions

  bool operator==(const EngineCounts&) const = default;
};

/// Keeps the digest and the counts over all events.
class EventRecorder final : public EventSink {
 public:
  void on(const OrderEvent& event) override {
    digest_.add(event);
    ++events_by_kind_[static_cast<std::size_t>(event.kind)];
    unknown_executions_ += event.kind == EventKind::unknown_id &&
                           event.reason == static_cast<std::uint8_t>(OrderKind::execute);
  }

  /// What it had come to when `snapshot` was taken.
  void restore(const EngineSnapshot& snapshot) noexcept {
    digest_ = Digest(snapshot.events_digest);
    events_by_kind_ = snapshot.events_by_kind;
    unknown_executions_ = snapshot.unknown_executions;
  }

  [[nodiscard]] const Digest& digest() const noexcept { return digest_; }
  [[nodiscard]] const std::array<std::uint64_t, kEventKinds>& counts() const noexcept {
    return events_by_kind_;
  }
  [[nodiscard]] std::uint64_t count(EventKind kind) const noexcept {
    return events_by_kind_[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] std::uint64_t unknown_executions() const noexcept { return unknown_executions_; }

 private:
  Digest digest_;
  std::array<std::uint64_t, kEventKinds> events_by_kind_{};
  std::uint64_t unknown_executions_ = 0;
};

/// The replicated state: a book fed with OrderMessages. Same messages, same digest, on every
/// member and without a group.
///
/// A payload that is no OrderMessage (wrong size, unknown kind or side) is counted and ignored, on
/// every member alike: what one member publishes must not stop the others.
class MatchingEngine : public StateMachine {
 public:
  /// Room for `most_orders` resting orders. Throws std::bad_alloc.
  explicit MatchingEngine(std::uint32_t most_orders) : book_(most_orders, recorder_) {}
  MatchingEngine(const MatchingEngine&) = delete;
  MatchingEngine& operator=(const MatchingEngine&) = delete;

  void apply(const Message& message) override;
  /// The same without a message around it: for a run without a group, or out of a message that
  /// holds several.
  void apply(const OrderMessage& order);
  /// Counts a message that the caller found to be no order.
  void ignore_malformed() noexcept { ++malformed_; }
  /// Forgets everything: as it was made.
  void clear();

  /// The whole state, copied at the first call: a walk of the book, some milliseconds.
  bool save(SnapshotWriter& writer) override;
  /// In place of what this engine holds. What is no state of an engine with the same room is
  /// refused; no order of it then rests here.
  void load(SnapshotReader& reader) override;

  /// An `end_of_input` was applied.
  [[nodiscard]] bool finished() const noexcept { return finished_; }
  /// Over all events so far and the book as it rests now. Walks the book.
  [[nodiscard]] std::uint64_t digest() const;
  [[nodiscard]] EngineCounts counts() const noexcept;
  [[nodiscard]] const OrderBook& book() const noexcept { return book_; }

 private:
  [[nodiscard]] EngineSnapshot snapshot() const;
  Expected<void> restore(const EngineSnapshot& snapshot);

  EventRecorder recorder_;
  OrderBook book_;
  std::uint64_t orders_ = 0;
  std::uint64_t malformed_ = 0;
  bool finished_ = false;
  std::vector<std::byte> saving_;   ///< a snapshot on its way out, written up to…
  std::size_t saved_bytes_ = 0;     ///< …here
  std::vector<std::byte> loading_;  ///< what came so far of one on its way in
};

}  // namespace lockstep::examples
