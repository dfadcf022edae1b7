#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "transports/packet/packet.hpp"

namespace lockstep::transports::packet {

/// The packets that the peer may not have yet, whole, so that each can be sent again; when each of
/// them was sent; which of them the peer has.
class SendWindow {
 public:
  /// Memory for `credit` packets of `packet_bytes`; no more are ever on their way.
  SendWindow(std::uint32_t credit, std::size_t packet_bytes);

  [[nodiscard]] bool empty() const noexcept { return oldest_ == next_; }
  [[nodiscard]] bool full() const noexcept { return next_ - oldest_ >= credit_; }
  /// Sent, and neither acknowledged nor known to be lost.
  [[nodiscard]] std::uint32_t on_their_way() const noexcept { return on_their_way_; }
  /// The oldest that the peer may not have. Unless empty.
  [[nodiscard]] std::uint64_t oldest() const noexcept { return oldest_; }
  [[nodiscard]] std::uint64_t oldest_sent_ns() const noexcept { return slot(oldest_).sent_ns; }
  [[nodiscard]] std::uint64_t last_transmission() const noexcept { return transmissions_; }
  /// The newest that the peer has shown to have.
  [[nodiscard]] std::uint64_t newest_seen() const noexcept { return newest_; }

  /// Memory for the next body. Unless full.
  [[nodiscard]] std::span<std::byte> next_body() noexcept;
  /// Its first `bytes` are filled: the packet has its number now, and is to be sent.
  void add(std::size_t bytes) noexcept;

  /// The first that is to be sent, for the first time or again; false: none.
  bool first_due(std::uint64_t& sequence) noexcept;
  [[nodiscard]] bool has_due() const noexcept { return due_ > 0; }
  /// The oldest is to be sent once more.
  void send_oldest_again() noexcept { mark_due(slot(oldest_)); }

  /// The memory of a packet, as long as all of it: room for what follows the body included.
  [[nodiscard]] std::span<std::byte> image(std::uint64_t sequence) noexcept;
  [[nodiscard]] std::uint32_t body_bytes(std::uint64_t sequence) const noexcept {
    return slot(sequence).body_bytes;
  }
  [[nodiscard]] bool was_sent_again(std::uint64_t sequence) const noexcept {
    return slot(sequence).again;
  }
  /// It goes now; the number of the transmission.
  std::uint64_t transmitted(std::uint64_t sequence, std::uint64_t now_ns) noexcept;
  /// It could not go: that transmission never was. Right after `transmitted`.
  void not_transmitted(std::uint64_t sequence) noexcept;

  /// Whether a peer could say so: it can have only what was sent.
  [[nodiscard]] bool could_say(const Parsed& packet) const noexcept;

  struct Progress {
    std::uint32_t packets = 0;        ///< newly acknowledged
    bool newest_is_new = false;       ///< a round trip was measured
    std::uint64_t round_trip_ns = 0;  ///< that one
  };
  Progress acknowledge(const Parsed& packet, std::uint64_t now_ns) noexcept;

  /// Marks what must be lost, since the peer has something that was sent well after it: three
  /// transmissions, or `reordering_ns`. Returns the newest transmission among the lost; 0: none.
  std::uint64_t find_lost(std::uint64_t reordering_ns) noexcept;

 private:
  /// How many transmissions may overtake one (RFC 9002, section 6.1.1).
  static constexpr std::uint64_t kReordering = 3;
  static constexpr std::size_t kRemembered = 4 * kMostOutstanding;

  struct Slot {
    std::uint64_t transmission = 0;  ///< the last; 0: never sent
    std::uint64_t sent_ns = 0;
    std::uint32_t body_bytes = 0;
    bool has = false;    ///< the peer has it
    bool due = false;    ///< to be sent
    bool sent = false;   ///< was sent
    bool again = false;  ///< …more than once
  };
  struct Sent {
    std::uint64_t transmission = 0;
    std::uint64_t ns = 0;
  };

  [[nodiscard]] Slot& slot(std::uint64_t sequence) noexcept {
    return slots_[sequence % kMostOutstanding];
  }
  [[nodiscard]] const Slot& slot(std::uint64_t sequence) const noexcept {
    return slots_[sequence % kMostOutstanding];
  }
  void mark_due(Slot& one) noexcept;
  bool take(Slot& one) noexcept;

  const std::uint32_t credit_;
  const std::size_t packet_bytes_;
  std::unique_ptr<std::byte[]> memory_;
  std::array<Slot, kMostOutstanding> slots_{};
  std::array<Sent, kRemembered> sent_{};
  std::uint64_t oldest_ = 0;
  std::uint64_t next_ = 0;
  std::uint64_t due_from_ = 0;  ///< nothing before it is due
  std::uint32_t due_ = 0;
  std::uint32_t on_their_way_ = 0;
  std::uint64_t transmissions_ = 0;
  std::uint64_t newest_ = 0;  ///< the newest transmission that the peer has seen
  std::uint64_t newest_sent_ns_ = 0;
};

}  // namespace lockstep::transports::packet
