#pragma once

#include <cstdint>
#include <memory>

#include "bench/floor.hpp"
#include "bench/rounds.hpp"

namespace lockstep::bench {

/// Latency. Closed loop: the senders take turns, one a block; it publishes one message at a time
/// and waits for its own delivery. Open loop: all senders publish on a schedule that does not wait
/// for anything, and a message's time runs from when it was *due*, so a stall is charged to every
/// message that it held up (coordinated omission, Tene). The schedule runs in subject time: it
/// stands still in floor blocks, and what is late stays late from block to block.
class LatencyScene final : public Scene {
 public:
  LatencyScene(Session& session, Member& member);

  [[nodiscard]] std::uint32_t senders_per_block() const override;
  [[nodiscard]] bool sends(std::uint64_t block) const override;
  void prepare(const Block& block) override;
  Expected<void> send(const Block& block) override;
  void drained(const Block& block, std::uint64_t messages, std::uint64_t duration_ns) override;
  Expected<void> floor(const Block& block) override;
  [[nodiscard]] bool has_enough() const override;
  void finished(std::uint64_t subject_elapsed_ns) override;

  /// The view on the session's stamps that suits this plan.
  static Stamps stamps(const Session& session) noexcept;

 private:
  Expected<void> ping(const Block& block);
  Expected<void> follow_schedule(const Block& block);
  void await_due(std::uint64_t due_ns, std::uint64_t now_ns, std::uint64_t end_ns);
  [[nodiscard]] std::uint64_t due_ns(std::uint64_t k) const noexcept;
  [[nodiscard]] bool open_loop() const noexcept { return session_.plan.options.rate > 0; }
  /// Of Options::samples, what this sender has still to measure in this block.
  [[nodiscard]] std::uint64_t samples_left(const Block& block) const noexcept;

  Session& session_;
  Member& member_;
  std::unique_ptr<PingFloor> floor_;  ///< of ranks 0 and 1
  std::unique_ptr<launch::Histogram> block_latency_ = std::make_unique<launch::Histogram>();
  std::unique_ptr<launch::Histogram> block_floor_ = std::make_unique<launch::Histogram>();
};

/// Throughput: all senders publish whatever there is room for.
class ThroughputScene final : public Scene {
 public:
  ThroughputScene(Session& session, Member& member);

  [[nodiscard]] std::uint32_t senders_per_block() const override { return session_.plan.senders; }
  [[nodiscard]] bool sends(std::uint64_t /*block*/) const override {
    return member_.rank() < session_.plan.senders;
  }
  [[nodiscard]] std::uint64_t send_ns() const override;
  Expected<void> send(const Block& block) override;
  void drained(const Block& block, std::uint64_t messages, std::uint64_t duration_ns) override;
  [[nodiscard]] std::uint32_t floor_parties() const override { return stream_parties(session_); }
  Expected<void> floor(const Block& block) override;

 private:
  Session& session_;
  Member& member_;
  std::unique_ptr<StreamFloor> floor_;
  std::uint64_t burst_;
};

}  // namespace lockstep::bench
