#pragma once

#include <cstdint>

#include "bench/member.hpp"
#include "bench/session.hpp"
#include "lockstep/error.hpp"

namespace lockstep::bench {

/// One subject block, as every member sees it.
struct Block {
  std::uint64_t number = 0;
  bool measured = false;  ///< not a warm-up
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;  ///< send no more from then on
  /// Subject time: the sum of all earlier subject blocks, as if there were no floor blocks.
  std::uint64_t subject_elapsed_ns = 0;
};

/// What a scenario does in the blocks of one member.
class Scene {
 public:
  virtual ~Scene() = default;

  /// How many members send in a subject block, and whether this one does.
  [[nodiscard]] virtual std::uint32_t senders_per_block() const = 0;
  [[nodiscard]] virtual bool sends(std::uint64_t block) const = 0;

  /// For how long to send in a block; with starting and draining it stays below 5 ms.
  [[nodiscard]] virtual std::uint64_t send_ns() const { return 4'500'000; }
  /// Before the block's barrier.
  virtual void prepare(const Block& /*block*/) {}
  /// Sends until block.end_ns, running the reactor.
  virtual Expected<void> send(const Block& block) = 0;
  /// Every member has applied everything. `messages` and `duration_ns` are those of this block.
  virtual void drained(const Block& block, std::uint64_t messages, std::uint64_t duration_ns) = 0;
  /// How many members, from rank 0 on, take part in a floor block.
  [[nodiscard]] virtual std::uint32_t floor_parties() const { return 2; }
  /// The floor block that follows; its parties only.
  virtual Expected<void> floor(const Block& block) = 0;
  /// Whether rank 0 need not start another block, though there is time.
  [[nodiscard]] virtual bool has_enough() const { return false; }
  /// After the last block.
  virtual void finished(std::uint64_t /*subject_elapsed_ns*/) {}
};

/// Alternates subject blocks of at most 5 ms with floor blocks until the plan's seconds are over.
///
/// A subject block: all arrive; rank 0 starts it; the senders send; when none will send more all
/// run on until they have applied everything; rank 0 starts the floor block. All that time every
/// member runs its reactor. In a floor block its parties have the machine to themselves: the
/// others sleep, or spin on a word nobody writes if they have CPUs of their own.
class Rounds {
 public:
  Rounds(Session& session, Member& member, Scene& scene) noexcept
      : session_(session), control_(session.control()), member_(member), scene_(scene) {}

  Expected<void> run();

  /// Blocks whose figures are thrown away: caches, page tables and placement settle.
  static constexpr std::uint64_t kWarmUpBlocks = 10;

 private:
  Expected<void> subject_block(std::uint64_t number);
  Expected<void> floor_block();
  Expected<Block> begin(std::uint64_t number);
  Expected<void> drain();
  void conclude();
  Phase next_phase();
  Expected<void> wait_for_phase_after(std::uint64_t word);
  [[nodiscard]] bool conducts() const noexcept { return member_.rank() == 0; }

  Session& session_;
  Control& control_;
  Member& member_;
  Scene& scene_;
  Block block_;
  std::uint64_t published_before_ = 0;  ///< by all, before this block
  std::uint64_t own_published_ = 0;     ///< of these, told to the others
  std::uint64_t subject_elapsed_ns_ = 0;
  std::uint64_t end_ns_ = 0;
};

}  // namespace lockstep::bench
