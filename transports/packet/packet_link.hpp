#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>

#include "transports/packet/congestion.hpp"
#include "transports/packet/packet.hpp"
#include "transports/packet/packet_sealer.hpp"
#include "transports/packet/receive_window.hpp"
#include "transports/packet/replay_window.hpp"
#include "transports/packet/round_trip.hpp"
#include "transports/packet/send_window.hpp"
#include "transports/packet_counts.hpp"
#include "transports/stream/inbound_stream.hpp"
#include "transports/stream/outbound_stream.hpp"
#include "transports/transport.hpp"

namespace lockstep::transports::packet {

/// What takes packets to a peer: a socket, a queue of a network card, a simulated wire. It may
/// lose, double, reorder and damage them.
class Wire {
 public:
  virtual ~Wire() = default;
  /// False: it is full; nothing was taken. What it takes stays as it is until the link is given a
  /// packet (PacketLink::receive), so that several can go together.
  virtual bool send(std::span<const std::byte> packet) noexcept = 0;
};

struct PacketLinkOptions {
  std::uint16_t my_rank = 0;
  LinkSecret mine;                    ///< of what this member sends
  LinkSecret theirs;                  ///< of what the peer sends
  std::size_t packet_bytes = 0;       ///< of the largest packet that this member sends
  std::size_t peer_packet_bytes = 0;  ///< of the largest that the peer sends
  std::uint32_t peer_credit = 0;      ///< how many packets the peer has room for
  std::uint32_t my_credit = 0;        ///< how many packets the peer was told to have room here
  std::uint64_t give_up_ns = 0;       ///< without progress for so long, the link is down
  std::size_t region_bytes = 0;       ///< of one copy
};

/// One link over packets: ordered writes over a wire that loses, doubles, reorders and damages.
/// Sees no wire, clock or socket: it is given what arrives, the time, and something that sends.
///
/// Writes become one stream of bytes (OutboundStream); packets carry as much of it as they hold,
/// so that small writes share one and large ones take several. The receiver applies bodies in
/// order, at once. Every packet says what was received, so that in both directions
///
///  - a packet stays here until the peer has it, and no more are on their way than it has room for;
///  - one is lost when the peer has another that was sent three transmissions or a quarter of a
///    round trip after it, and only what was lost is sent again;
///  - after a few round trips of silence the oldest is sent again, at growing intervals;
///  - after `give_up_ns` without progress the link is down.
///
/// docs/packets.md has the sentences; mutant.hpp those with a broken version that checks catch.
/// After RFC 9002 (QUIC's loss detection), whose packet numbers these are.
///
/// One thread. Allocates when made, not later.
class PacketLink {
 public:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  /// `region`: both copies, one after the other; must outlive this. `keys`: null where nothing is
  /// encrypted; not looked at later.
  PacketLink(const PacketLinkOptions& options, std::span<std::byte> region,
             const LinkKeys* keys = nullptr);

  // ---- what ordering writes (Transport::write, completed)
  Post push(std::uint32_t copy, std::uint64_t offset, std::span<const std::byte> bytes,
            std::uint64_t mark) noexcept;
  /// A write is complete when its bytes are in packets. On a link that is down: the highest mark.
  [[nodiscard]] std::uint64_t completed() const noexcept { return out_.completed(); }
  /// See Transport::renew_keys.
  void renew_keys() noexcept {
    if (sealer_) sealer_->renew();
  }
  /// Leaves in good order: after this nothing is pushed. False: the queue is full.
  bool push_leave() noexcept { return out_.push_leave() == Post::posted; }
  /// The peer has all there was.
  [[nodiscard]] bool settled() const noexcept { return out_.empty() && window_.empty(); }

  // ---- the wire
  /// A packet that came under this link's number; anything may have come. True: the peer sent
  /// it, and it is new.
  bool receive(std::span<const std::byte> packet, std::uint64_t now_ns) noexcept;
  /// Sends what is due, as far as `wire` takes it. `idle`: nothing more is going to be written
  /// soon, so acknowledgements wait for nothing.
  void send(std::uint64_t now_ns, Wire& wire, bool idle) noexcept;
  /// When `send` is worth another call though nothing arrives and nothing is written; kNever.
  [[nodiscard]] std::uint64_t deadline_ns() const noexcept;

  /// Why the link is down; nothing while it is up. Down is for good.
  [[nodiscard]] std::optional<DownReason> down() const noexcept { return down_; }
  /// It is down from now on.
  void fail(DownReason reason) noexcept;

  [[nodiscard]] const PacketCounts& counts() const noexcept { return counts_; }
  [[nodiscard]] const RoundTrip& round_trip() const noexcept { return round_trip_; }
  [[nodiscard]] std::uint32_t congestion_window() const noexcept { return congestion_.window(); }
  /// How often the key of what this end sends was renewed.
  [[nodiscard]] std::uint32_t keys_used() const noexcept { return sealer_ ? sealer_->key() : 0; }

 private:
  /// It gave up, and so is the peer to: it would wait for ever for what is never applied. What a
  /// member sent before it left or died still counts.
  [[nodiscard]] bool deaf() const noexcept;
  void heed_acknowledgement(const Parsed& packet, std::uint64_t now_ns) noexcept;
  void take_body(const Parsed& packet, std::uint64_t now_ns) noexcept;
  void apply(std::span<const std::byte> body) noexcept;
  void owe(std::uint64_t until_ns) noexcept;
  void look_at_silence(std::uint64_t now_ns) noexcept;
  void fill(std::uint64_t now_ns) noexcept;
  bool transmit_due(std::uint64_t now_ns, Wire& wire) noexcept;
  bool transmit(std::uint64_t sequence, std::uint64_t now_ns, Wire& wire) noexcept;
  void acknowledge_alone(std::uint64_t now_ns, Wire& wire) noexcept;
  [[nodiscard]] std::span<const std::byte> complete(std::span<std::byte> image, Head head,
                                                    std::uint64_t place) noexcept;
  [[nodiscard]] std::uint64_t probe_ns() const noexcept;
  [[nodiscard]] bool has_room() const noexcept;

  const PacketLinkOptions options_;
  stream::OutboundStream out_;
  stream::InboundStream in_;
  SendWindow window_;
  ReceiveWindow arrived_;
  RoundTrip round_trip_;
  Congestion congestion_;
  PacketCounts counts_;
  std::optional<DownReason> down_;
  std::optional<PacketSealer> sealer_;  ///< where it is encrypted, as the next
  std::optional<PacketOpener> opener_;
  ReplayWindow data_come_;
  ReplayWindow acknowledgements_come_;

  std::uint64_t newest_seen_ = 0;         ///< the peer's newest transmission of data
  std::uint32_t owed_ = 0;                ///< packets since the last that told what was received
  std::uint64_t owed_until_ns_ = kNever;  ///< when to tell it at the latest
  std::uint64_t acknowledgements_ = 0;    ///< transmissions of that kind
  std::uint64_t progress_ns_ = 0;         ///< when the peer last had something new
  std::uint32_t probes_ = 0;              ///< since then: how often the oldest was sent again
  std::uint32_t attempts_ = 0;            ///< since then: that, and what the wire did not take
  std::uint64_t next_send_ns_ = 0;        ///< while the window is narrowed
  std::uint64_t retry_ns_ = kNever;       ///< the wire was full
  alignas(64) std::array<std::byte, kMostOverheadBytes> alone_{};
};

}  // namespace lockstep::transports::packet
