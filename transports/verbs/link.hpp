#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "lockstep/error.hpp"
#include "runtime/memory.hpp"
#include "transports/block.hpp"
#include "transports/transport.hpp"
#include "transports/verbs/device.hpp"
#include "transports/verbs/handles.hpp"
#include "transports/verbs/parameters.hpp"
#include "transports/verbs/send_queue.hpp"

namespace lockstep::transports {

/// What every link of a transport has in common.
struct LinkShape {
  std::size_t region_bytes = 0;
  std::uint32_t source_key = 0;
  bool trust_order = true;  ///< believe the device if it says that it keeps order inside a write
  BlockOptions blocks;
};

/// One peer: a reliable connected queue pair, the memory the peer writes, the way to the peer's.
///
/// The inbound region is one registration: two copies, then one *control line* that the peer's
/// transport writes for itself:
///
///   | copy 0 | copy 1 | never_sleeps, returned, left |
///
/// *Doorbells* are writes of nothing with immediate data: each takes one posted receive at the peer
/// and completes there, which is what wakes it. `kReceives` are posted; half of them are posted
/// again at a time, and how many came so far is then written back into the sender's control line as
/// `returned`. A sender with kReceives doorbells not yet returned *owes* further ones: a peer with
/// that many unread completions has something to wake it already, but might read them, look and
/// sleep before the write the owed one stands for arrives, so it is sent as soon as there is credit
/// (`pay`), and in any case before this member sleeps itself (`pay(true)`). The last case alone can
/// find the receives used up; the device then retries without end (rnr_retry 7: a peer that is
/// there but does not poll is slow, not dead).
///
/// Thread: the transport's. Nothing is allocated after connect.
class VerbsLink {
 public:
  enum class State : std::uint8_t { waiting, up, down };

  /// What may come back in a completion's wr_id: the link in bits 32 to 62.
  static constexpr std::uint64_t kReceiveBit = std::uint64_t{1} << 63U;
  static constexpr LinkId link_of(std::uint64_t request_id) noexcept {
    return static_cast<LinkId>((request_id & ~kReceiveBit) >> 32U);
  }
  /// Requests and receives of one link that can be in its completion queue at once.
  static constexpr std::uint32_t kSends = 256;
  static constexpr std::uint32_t kReceives = 64;

  VerbsLink() = default;

  /// Makes memory and queue pair; the peer may be connected later. `completions` is shared by all
  /// links and outlives them. Errors: no_memory, not_supported, system.
  Expected<void> create(const VerbsDevice& device, ibv_cq* completions, LinkId link,
                        const LinkShape& shape);
  [[nodiscard]] VerbsParameters parameters(const VerbsDevice& device) const;
  /// Errors: mismatch (naming both values), system.
  Expected<void> connect(const VerbsDevice& device, const VerbsParameters& peer);

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] bool is_up() const noexcept { return state_ == State::up; }
  [[nodiscard]] const ibv_qp* queue_pair() const noexcept { return queue_pair_.get(); }
  /// This device writes one message from its lowest byte up, by its own word.
  [[nodiscard]] bool keeps_order() const noexcept { return keeps_order_; }
  [[nodiscard]] std::span<std::byte> inbound(std::uint32_t copy) const noexcept;

  Post write(std::uint32_t copy, std::uint64_t offset, std::span<const std::byte> bytes,
             std::uint64_t mark) noexcept;
  /// Gives the chain to the device. False: it was refused, the link is broken.
  [[nodiscard]] bool flush(bool signal = false) noexcept;
  [[nodiscard]] std::uint64_t completed() const noexcept;
  [[nodiscard]] bool idle() const noexcept { return sends_.idle(); }

  /// A good completion of this link. False: a receive could not be posted, the link is broken.
  [[nodiscard]] bool complete(std::uint64_t request_id) noexcept;

  /// A doorbell for what was written since the last one, if the peer may sleep.
  void ring() noexcept;
  /// What the peer shall find in its control line.
  void tell_never_sleeps(bool never) noexcept;
  /// Tells the peer, with a doorbell, that all was written and the link ends; asks for a
  /// completion. Nothing is told when the queue is full. False: the device refused.
  [[nodiscard]] bool say_farewell() noexcept;
  /// Posts what this link owes: doorbell, control words, receives. `last_chance`: a doorbell even
  /// without credit. False: the device refused, the link is broken.
  [[nodiscard]] bool pay(bool last_chance) noexcept;
  [[nodiscard]] bool in_debt() const noexcept {
    return owes_doorbell_ || owes_never_sleeps_ || reposted_ != returned_;
  }
  /// The peer closed in good order: all it wrote is here.
  [[nodiscard]] bool peer_left() const noexcept;

  /// Stops the queue pair: from here on nothing is read from or written to this member's memory.
  /// What was written stays. Does not wait for the device to forget the queue pair.
  void take_down() noexcept;
  /// Also lets queue pair and inbound memory go; the queue pair first, or its memory could be
  /// another's while the device still writes. May block: Soft-RoCE waits for packets of the queue
  /// pair that still lie in the network stack, 3 s where no ARP request is answered.
  void drop() noexcept;

  /// What was tolerated while the memory was made.
  [[nodiscard]] const Notices& notices() const noexcept { return notices_; }
  [[nodiscard]] const SendQueue::Counts& counts() const noexcept { return sends_.counts(); }

 private:
  enum Control : std::uint32_t { kNeverSleeps, kReturned, kLeft, kControlWords };

  Expected<void> make_memory(const VerbsDevice& device, const LinkShape& shape);
  /// Returns how many bytes may go inline.
  Expected<std::uint32_t> make_queue_pair(const VerbsDevice& device, ibv_cq* completions);
  Expected<void> make_sends(const VerbsDevice& device, std::uint32_t inline_bytes,
                            std::uint32_t source_key);
  [[nodiscard]] int initialise(const VerbsDevice& device) noexcept;
  Expected<void> agree(const VerbsDevice& device, const VerbsParameters& peer) const;
  [[nodiscard]] int ready_to_receive(const VerbsDevice& device,
                                     const VerbsParameters& peer) noexcept;
  [[nodiscard]] int ready_to_send() noexcept;
  /// Resets the queue pair: requests and receives are forgotten, packets ignored (IB spec 1.4,
  /// §10.3.1). A device that cannot do that destroys it.
  void stop() noexcept;
  bool post_receives(std::uint32_t count) noexcept;
  void pay_doorbell(bool last_chance) noexcept;
  [[nodiscard]] std::uint64_t control(Control word) const noexcept;
  [[nodiscard]] std::uint64_t control_offset(Control word) const noexcept;

  LinkId link_ = 0;
  State state_ = State::down;
  std::size_t region_bytes_ = 0;
  std::uint32_t first_packet_ = 0;
  Notices notices_;
  runtime::SharedBlock memory_;
  Handle<ibv_mr> region_;
  SendQueue sends_;
  Handle<ibv_mr> staging_;
  Handle<ibv_qp> queue_pair_;

  bool keeps_order_ = false;
  bool written_ = false;  ///< since the last doorbell
  bool owes_doorbell_ = false;
  bool owes_never_sleeps_ = false;
  bool never_sleeps_ = false;
  std::uint64_t doorbells_sent_ = 0;
  std::uint64_t doorbells_come_ = 0;
  std::uint64_t reposted_ = 0;  ///< receives posted again; follows doorbells_come_ in halves
  std::uint64_t returned_ = 0;  ///< of them, told to the peer
};

}  // namespace lockstep::transports
