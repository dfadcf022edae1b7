#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "lockstep/error.hpp"
#include "transports/hello/descriptor.hpp"
#include "transports/link_choice.hpp"
#include "transports/notices.hpp"
#include "transports/packet_counts.hpp"

namespace lockstep::transports {

/// A connection to one peer. Links are numbered by the peer's rank; a member has none to itself.
using LinkId = std::uint32_t;

/// A write of at most this many bytes is copied when it is posted: its source may change at once.
/// Rows depend on it (a row read late could cover frames that were not yet posted).
inline constexpr std::size_t kInlineBytes = 64;

/// Every region comes in two copies, used by alternating epochs, so that what an evicted or
/// stopped writer still sends lands in memory nobody reads.
inline constexpr std::uint32_t kRegionCopies = 2;

/// What a post came to.
enum class Post : std::uint8_t {
  posted,
  would_block,  ///< the link's queue is full; nothing was posted; try after the next poll
  down,         ///< the link is down; the bytes are forgotten
};

/// In which order the bytes of ONE write become visible to the peer. Between writes of a link the
/// order is always that of posting, and an aligned 8-byte word is never torn.
enum class WriteOrder : std::uint8_t {
  first_word_last,  ///< the first 8 bytes appear last, with release semantics (shared memory)
  ascending,        ///< from the lowest address up
  unordered,        ///< in any order: the reader needs a checksum
};

/// Why a link is down.
enum class DownReason : std::uint8_t {
  peer_left,        ///< the peer closed the link in good order
  peer_died,        ///< the peer's reactor thread or process ended without closing
  link_failed,      ///< the medium gave up
  protocol_error,   ///< the peer wrote what no correct peer writes
  unreachable,      ///< the peer's side of the medium stopped answering
  port_down,        ///< this member's network port lost its link
  device_lost,      ///< this member's network device failed or was removed
  address_changed,  ///< this member's network address is another one now
};
std::string_view to_string(DownReason reason) noexcept;

/// Reported by poll, once per link: afterwards the link stays down.
struct LinkDown {
  LinkId link = 0;
  DownReason reason = DownReason::link_failed;
};

/// A link that was made while two members met, for the transport that it was made for.
class Newcomer {
 public:
  Newcomer(LinkId link, Notices notices, std::optional<LinkChoice> choice = {}) noexcept
      : link_(link), notices_(std::move(notices)), choice_(choice) {}
  virtual ~Newcomer() = default;
  [[nodiscard]] LinkId link() const noexcept { return link_; }
  /// What was tolerated while it was made.
  [[nodiscard]] const Notices& notices() const noexcept { return notices_; }
  /// What was chosen for it, where there was a choice.
  [[nodiscard]] const std::optional<LinkChoice>& choice() const noexcept { return choice_; }

 private:
  LinkId link_;
  Notices notices_;
  std::optional<LinkChoice> choice_;
};

/// The contract between ordering and a medium (DESIGN §3): one-sided writes into peers' regions.
///
/// Each link gives this member one *inbound* region, in two copies, that only that peer writes,
/// and lets it write into the peer's inbound region for this link. Sizes are fixed when the
/// transport is opened, and equal at all members. Links come and go: `adopt`, `drop`.
///
/// Reactor-thread only. No call but `adopt` allocates; none blocks or throws. On shared
/// memory only `ring_doorbells` makes a system call, and only towards a peer that sleeps. Fire and
/// forget: order and reliability per link are the transport's job; a link that cannot keep them
/// goes down. That a write completed says nothing about the peer having seen it: only a counter
/// the peer wrote back does.
///
/// The shape is that of RDMA WRITE on a reliable connection (IB spec 1.4, §9.7.5): `write` is a
/// posted work request, `flush` the doorbell, `completed` the reaped completions.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Bytes in one copy of a region. A multiple of 64.
  [[nodiscard]] virtual std::size_t region_bytes() const noexcept = 0;

  /// Of what this member writes; where links differ, the weakest of any link that it may have: one
  /// `unordered` link, and all that it sends needs a checksum.
  [[nodiscard]] virtual WriteOrder write_order() const noexcept = 0;
  /// Of what the peer of `link` writes, as long as the link is there: `unordered` exactly if the
  /// peer's write_order is.
  [[nodiscard]] virtual WriteOrder read_order(LinkId /*link*/) const noexcept {
    return write_order();
  }

  /// Memory to post from, fixed when the transport is opened: every source longer than
  /// kInlineBytes lies in it (RDMA registers it once). 64-byte aligned, zeroed.
  [[nodiscard]] virtual std::span<std::byte> source() noexcept = 0;

  /// What the peer of `link` writes, one copy of it. 64-byte aligned, zeroed when the link
  /// is adopted. Read words with acquire. Of a link that is not there: zeroes that nobody writes.
  [[nodiscard]] virtual std::span<std::byte> inbound(LinkId link, std::uint32_t copy) noexcept = 0;

  /// Queues one write of `bytes` to `offset` in `copy` of the peer's region. Offset and size are
  /// the caller's to get right (it asserts). Offset and address must be 8-byte aligned, the size
  /// a multiple of 8, zero allowed.
  ///
  /// Sources over kInlineBytes stay unchanged until `completed(link) >= mark`. `mark` is the
  /// caller's own number for this post; it must not decrease on a link.
  virtual Post write(LinkId link, std::uint32_t copy, std::uint64_t offset,
                     std::span<const std::byte> bytes, std::uint64_t mark) noexcept = 0;

  /// Whether a post is a few stores and no call: then one that nobody waits for is better made at
  /// once than beside the next that somebody does wait for.
  [[nodiscard]] virtual bool posts_are_stores() const noexcept { return false; }

  /// Hands everything queued on `link` to the device, at once.
  virtual void flush(LinkId link) noexcept = 0;

  /// The highest mark for which it and all posts before it are complete: their sources are free.
  /// On a link that is down: the highest mark ever posted.
  [[nodiscard]] virtual std::uint64_t completed(LinkId link) const noexcept = 0;

  /// Makes progress and reports links that went down since the last call, each once. Returns how
  /// many were stored in `events`; call again when it was filled.
  virtual std::size_t poll(std::span<LinkDown> events) noexcept = 0;

  /// Closes a link and lets its inbound memory go: whatever the peer still writes lands nowhere. No
  /// event follows. (Eviction, and frames that no correct peer sends.)
  virtual void drop(LinkId link) noexcept = 0;

  /// Takes over a link that was made for this transport; there is none of that number, or it was
  /// dropped. It is up, its memory is new. Errors: system; the link is not there then.
  virtual Expected<void> adopt(std::unique_ptr<Newcomer> newcomer);
  /// A connection to the peer of `link` whose end tells of its death (LifeLines). Closed, where the
  /// medium has no use for it.
  virtual void hold_life_line(LinkId link, Descriptor line) noexcept;

  /// What is sent from now on is sealed with the next key of each link, where links have keys: once
  /// for every view. Who gets hold of a member's memory then cannot read what was sent before.
  virtual void renew_keys() noexcept {}

  /// Tells peers whether this reactor ever sleeps. Until it is told, it may; peers of one that
  /// never does are spared what waking it costs.
  virtual void set_never_sleeps(bool never) noexcept = 0;

  /// Sleeping (DESIGN §8). The sleeper calls `announce_sleep`, which ends in a sequentially
  /// consistent fence, looks at every ring and row once more, and only then waits on
  /// `descriptors`. `announce_awake` takes the announcement back.
  virtual void announce_sleep() noexcept = 0;
  virtual void announce_awake() noexcept = 0;

  /// Wakes the peers that sleep, among those written to since the last call: one sequentially
  /// consistent fence, then one load each. Called once per send step that posted anything a
  /// sleeper should see.
  virtual void ring_doorbells() noexcept = 0;

  /// Descriptors whose readability is worth a `poll`, for the reactor's one wait.
  [[nodiscard]] virtual std::span<const int> descriptors() const noexcept = 0;

  /// When a `poll` is worth it though nothing arrives, in nanoseconds of runtime::TscClock: the
  /// reactor sleeps no longer.
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};
  [[nodiscard]] virtual std::uint64_t deadline_ns() const noexcept { return kNever; }

  /// What happened to packets on all links so far, those that are gone included; none where the
  /// medium repeats and orders by itself.
  [[nodiscard]] virtual std::optional<PacketCounts> packet_counts() const noexcept {
    return std::nullopt;
  }

  /// What was tolerated or chosen when the transport was opened (no huge pages, …), for people.
  [[nodiscard]] virtual std::span<const std::string> notices() const noexcept { return {}; }
};

}  // namespace lockstep::transports
