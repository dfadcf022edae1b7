#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tests/packet/lossy_wire.hpp"
#include "transports/packet/packet_link.hpp"

namespace lockstep::transports::packet {

/// How two members talk in one run.
struct PairScenario {
  std::uint64_t seed = 1;
  WireFaults faults;
  std::size_t packet_bytes = 1'024;
  std::uint32_t credit = 32;
  std::uint64_t words = 4'000;  ///< that each side writes, as writes of 1 to 100
  bool one_way = false;         ///< only the first side writes
  std::uint64_t pause_ns = 0;   ///< between writes
  bool alone = false;           ///< a write waits until the peer has those before it
  bool encrypted = false;
  std::uint64_t renew_every_ns = 0;  ///< a new key is due so often; 0: never
  std::uint64_t give_up_ns = 5'000'000'000;
  std::uint64_t most_ns = 60'000'000'000;  ///< virtual; then the run has failed
};

/// Two links with a lossy wire each way, in virtual time. Each side writes numbers one after the
/// other into a ring, and behind each write a row with the count; what the other side sees of both
/// is judged after every step.
class PacketPair {
 public:
  static constexpr std::size_t kRingWords = 1'024;
  static constexpr std::size_t kRegionBytes = (kRingWords + 8) * 8;  ///< the row has the last line

  explicit PacketPair(const PairScenario& scenario);

  /// Until both sides have what the other wrote, and know it. Empty: all is well; else what is
  /// wrong.
  std::string run();

  struct Side {
    std::vector<std::byte> region;  ///< what the peer writes
    std::unique_ptr<PacketLink> link;
    std::unique_ptr<LossyWire> wire;                 ///< of what this side sends
    std::deque<std::vector<std::uint64_t>> sources;  ///< of writes that may not be complete
    std::deque<std::uint64_t> marks;
    std::uint64_t written = 0;  ///< words
    std::uint64_t seen = 0;     ///< words of the peer's
    std::uint64_t row_seen = 0;
    std::uint64_t row_due = 0;  ///< to be posted
    std::uint64_t next_write_ns = 0;
    std::uint32_t narrowest = kMostOutstanding;
    std::uint64_t largest_burst = 0;  ///< packets sent at once while the window was narrowed
    std::uint64_t mark = 0;
    NumberJudge numbers;
    Random random{0};
  };
  [[nodiscard]] Side& side(std::size_t which) { return sides_[which]; }
  [[nodiscard]] std::uint64_t now_ns() const { return now_ns_; }

 private:
  void write(Side& mine, const Side& peer);
  void send(Side& mine) const;
  std::string look(Side& mine) const;
  [[nodiscard]] bool over() const;
  [[nodiscard]] std::uint64_t next_event_ns() const;
  [[nodiscard]] bool has_words_left(const Side& one) const;

  const PairScenario scenario_;
  std::uint64_t now_ns_ = 1'000'000;
  std::uint64_t renew_due_ns_ = 0;
  std::vector<Side> sides_{2};
};

}  // namespace lockstep::transports::packet
