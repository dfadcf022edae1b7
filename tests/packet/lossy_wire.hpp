#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "tests/packet/number_judge.hpp"
#include "transports/packet/packet_link.hpp"
#include "transports/sim/random.hpp"

namespace lockstep::transports::packet {

/// What a wire does to packets, from one seed.
struct WireFaults {
  std::uint32_t loss_permille = 0;
  std::uint32_t duplicate_permille = 0;
  std::uint32_t reorder_permille = 0;  ///< these take up to `late_ns` longer
  std::uint32_t damage_permille = 0;   ///< a bit, or a piece of the end
  std::uint32_t replay_permille = 0;   ///< somebody sends once more what passed before
  std::uint64_t delay_ns = 10'000;
  std::uint64_t late_ns = 100'000;
  std::uint64_t blackout_from_ns = 0;  ///< nothing that is sent then arrives
  std::uint64_t blackout_to_ns = 0;
  /// The receiver stands still so often, for so long: what comes meanwhile is taken afterwards.
  std::uint64_t stall_every_ns = 0;
  std::uint64_t stall_ns = 0;
  std::size_t most_waiting = 100'000;  ///< then it is full
};

/// One direction of a wire in virtual time: packets arrive some time after they were sent, or do
/// not.
class LossyWire final : public Wire {
 public:
  LossyWire(const WireFaults& faults, std::uint64_t seed) : faults_(faults), random_(seed) {}

  void set_now(std::uint64_t now_ns) { now_ns_ = now_ns; }

  bool send(std::span<const std::byte> packet) noexcept override {
    if (waiting_.size() >= faults_.most_waiting) return false;
    ++sent_;
    if (numbers_ != nullptr) numbers_->look(packet);
    if (faults_.replay_permille > 0) play_back(packet);
    const bool dark = now_ns_ >= faults_.blackout_from_ns && now_ns_ < faults_.blackout_to_ns;
    if (dark || random_.chance(faults_.loss_permille)) {
      ++lost_;
      return true;
    }
    carry(packet);
    if (random_.chance(faults_.duplicate_permille)) {
      ++doubled_;
      carry(packet);
    }
    return true;
  }

  void set_judge(NumberJudge* numbers) { numbers_ = numbers; }

  [[nodiscard]] std::uint64_t next_arrival_ns() const {
    return waiting_.empty() ? PacketLink::kNever : waiting_.begin()->first;
  }
  /// The first that has arrived; empty: none.
  std::vector<std::byte> take() {
    if (next_arrival_ns() > now_ns_) return {};
    auto first = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    return first;
  }

  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] std::uint64_t damaged() const { return damaged_; }
  [[nodiscard]] std::uint64_t doubled() const { return doubled_; }

 private:
  void play_back(std::span<const std::byte> packet) {
    passed_.emplace_back(packet.begin(), packet.end());
    if (random_.chance(faults_.replay_permille)) carry(passed_[random_.below(passed_.size())]);
  }

  void carry(std::span<const std::byte> packet) {
    std::vector<std::byte> copy(packet.begin(), packet.end());
    if (random_.chance(faults_.damage_permille)) {
      ++damaged_;
      if (random_.chance(200)) {
        copy.resize(1 + random_.below(copy.size() - 1));
      } else {
        copy[random_.below(copy.size())] ^= std::byte{1} << random_.below(8);
      }
    }
    std::uint64_t arrival_ns = now_ns_ + faults_.delay_ns;
    if (random_.chance(faults_.reorder_permille)) arrival_ns += random_.below(faults_.late_ns);
    if (faults_.stall_every_ns > 0) {
      const std::uint64_t phase_ns = arrival_ns % faults_.stall_every_ns;
      arrival_ns += faults_.stall_ns - std::min(phase_ns, faults_.stall_ns);
    }
    waiting_.emplace(arrival_ns, std::move(copy));
  }

  const WireFaults faults_;
  Random random_;
  std::uint64_t now_ns_ = 0;
  std::multimap<std::uint64_t, std::vector<std::byte>> waiting_;  ///< by arrival
  std::vector<std::vector<std::byte>> passed_;
  NumberJudge* numbers_ = nullptr;
  std::uint64_t sent_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t damaged_ = 0;
  std::uint64_t doubled_ = 0;
};

}  // namespace lockstep::transports::packet
