#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "transports/sim/random.hpp"
#include "transports/sim/sim_options.hpp"
#include "transports/transport.hpp"

namespace lockstep::transports {

/// The virtual time at which nothing happens.
inline constexpr std::uint64_t kNever = ~std::uint64_t{0};

/// What simulated memory is made of, so that it is aligned as the contract says.
struct alignas(64) CacheLine {
  std::array<std::byte, 64> bytes{};
};

/// One direction between two members of a simulated network: the sender's queue, the wire, and the
/// region at the far end that the writes land in.
///
/// A write is *posted*, *departs* (flush), is *read* from its source, becomes *visible* in one or
/// more steps, and is *complete* some time after it was read, before or after it is visible. The
/// writes of a link pass each of these points in the order they were posted; all their times are
/// drawn when they depart. Bounded; one thread.
class SimLink {
 public:
  SimLink(const SimOptions& options, Random random);

  /// Queues a write; sources of at most kInlineBytes are copied at once.
  Post post(std::uint64_t now_ns, std::uint32_t copy, std::uint64_t offset,
            std::span<const std::byte> bytes, std::uint64_t mark);

  /// Sends everything posted on its way.
  void depart(std::uint64_t now_ns);

  /// Writes visible from now on, and posted by now, ring the peer's doorbell.
  /// True if one of them is visible already, so that the doorbell rings at once.
  bool ring();

  /// When the next thing happens here, if nothing more is posted.
  [[nodiscard]] std::uint64_t next_ns() const;

  /// What one `advance` did.
  struct Progress {
    enum class Kind : std::uint8_t { read, torn, visible, complete };
    Kind kind = Kind::read;
    bool rings = false;           ///< a write that rings the doorbell became visible
    bool source_changed = false;  ///< between being read and completion: the sender's fault
    std::uint32_t copy = 0;
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
  };
  /// Makes the one thing happen that is due at next_ns(). Something must be due.
  Progress advance();

  /// Nothing that departs from now on arrives before `until_ns`: a cut in a network whose
  /// transport repeats what is lost.
  void stop_until(std::uint64_t until_ns) { stopped_until_ns_ = until_ns; }
  [[nodiscard]] bool is_stopped(std::uint64_t now_ns) const { return now_ns < stopped_until_ns_; }

  /// From now on no write clogs the link or completes late.
  void calm() { calm_ = true; }

  /// Makes some of the writes under way visible now, in order. True if any became visible.
  bool hasten();

  [[nodiscard]] std::uint64_t completed() const;

  /// The sender's end is gone: what is not visible yet never will be; all sources are free.
  void forget();

  /// Everything posted leaves the sender's memory now, however the sender fares.
  void read_all(std::uint64_t now_ns);

  /// The sender died: what was not read yet is lost, the rest still arrives and never completes.
  void lose_unread();

  [[nodiscard]] std::span<std::byte> region(std::uint32_t copy);
  /// The receiver let the memory go: whatever still arrives lands nowhere.
  void release_region();
  /// The receiver has memory for another link, zeroed.
  void renew_region();
  /// The sender's end is another link: marks begin anew.
  void renew_sender();

 private:
  struct Segment {
    std::uint64_t first_word = 0;
    std::uint64_t words = 0;
    std::uint64_t visible_ns = 0;
  };
  static constexpr std::size_t kMaxSegments = 8;
  struct Write {
    const std::byte* source = nullptr;  ///< null: `content` was filled when it was posted
    std::vector<std::byte> content;     ///< else when it was read
    std::uint32_t copy = 0;
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    std::uint64_t mark = 0;
    bool rings = false;
    std::uint64_t read_ns = 0;
    std::uint64_t complete_ns = 0;
    std::array<Segment, kMaxSegments> segments{};
    std::size_t segment_count = 0;
  };
  Write& at(std::uint64_t number) { return writes_[number % writes_.size()]; }
  [[nodiscard]] const Write& at(std::uint64_t number) const {
    return writes_[number % writes_.size()];
  }
  void schedule(Write& write, std::uint64_t now_ns);
  void cut(Write& write);
  void order(Write& write);
  static void read(Write& write);
  static bool source_changed(const Write& write);
  void apply(const Write& write, const Segment& segment);

  const SimOptions options_;
  Random random_;
  std::uint64_t delay_low_ns_ = 0;
  std::uint64_t delay_high_ns_ = 0;
  std::uint64_t clogged_until_ns_ = 0;
  std::uint64_t stopped_until_ns_ = 0;
  bool calm_ = false;

  // Counts of writes that passed each point: read <= departed <= posted, visible <= read,
  // complete <= read.
  std::vector<Write> writes_;
  std::uint64_t posted_ = 0;
  std::uint64_t departed_ = 0;
  std::uint64_t read_ = 0;
  std::uint64_t visible_ = 0;
  std::uint64_t complete_ = 0;
  std::uint64_t rung_ = 0;
  std::size_t next_segment_ = 0;  ///< of the write number `visible_`

  // The latest times drawn, so that no later write overtakes.
  std::uint64_t last_read_ns_ = 0;
  std::uint64_t last_visible_ns_ = 0;
  std::uint64_t last_complete_ns_ = 0;
  std::uint64_t last_mark_ = 0;
  std::uint64_t completed_mark_ = 0;

  std::array<std::vector<CacheLine>, kRegionCopies> region_;
};

}  // namespace lockstep::transports
