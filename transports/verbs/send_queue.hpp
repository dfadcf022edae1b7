#pragma once

#include <infiniband/verbs.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "transports/transport.hpp"

namespace lockstep::transports {

/// The bookkeeping of one queue pair's send side: requests are built into slots, chained, and given
/// to the device as one chain; completions free the slots again. Makes no call into the device
/// itself, so it can be tested without one.
///
/// Requests are numbered from 0 and live in slot number % depth:
///
///   freed (reaped) … given to the device … chained (built, not yet given) … next
///
/// - Few requests are signalled: the last of a chain, if it has a source the caller waits for or if
///   a quarter of the queue would be unsignalled. A chain is at most an eighth of the queue, so
///   whenever the queue is full a signalled request is among what the device has, and a completion
///   (which is one for all before it: IB spec 1.4, §10.8.6) is bound to come.
/// - A source of at most kInlineBytes is copied into its slot. A longer one that goes inline is
/// read
///   while the chain is given to the device, others until their request is complete.
///
/// One thread. Nothing is allocated after construction.
class SendQueue {
 public:
  struct Shape {
    std::uint32_t depth = 0;            ///< requests; at least kLeastDepth
    std::uint32_t inline_bytes = 0;     ///< what the device was found to grant
    std::uint32_t source_key = 0;       ///< of the registered source
    std::uint32_t staging_key = 0;      ///< of `staging`, where inline_bytes < kInlineBytes
    std::uint64_t longest_bytes = 0;    ///< of one request; a multiple of 8
    std::uint64_t request_id_base = 0;  ///< the low 32 bits are the request's number
  };
  struct Counts {
    std::uint64_t work_requests = 0;
    std::uint64_t chains = 0;
    std::uint64_t signalled = 0;
    std::uint64_t completions = 0;
    std::uint64_t doorbells = 0;
  };
  static constexpr std::uint32_t kLeastDepth = 64;

  SendQueue() = default;
  explicit SendQueue(const Shape& shape);

  /// Where small sources are copied to: registered by the owner if the device grants too little
  /// inline, before anything is pushed.
  [[nodiscard]] std::span<std::byte> staging() noexcept;
  void set_staging_key(std::uint32_t key) noexcept { shape_.staging_key = key; }
  /// Where the peer's memory is, once it is known.
  void set_target(std::uint64_t address, std::uint32_t key) noexcept;

  /// Builds what it takes to write `bytes` at `offset` from the target's address. False, and
  /// nothing is built, if the queue has no room. `mark` as in Transport::write.
  bool push_write(std::uint64_t offset, std::span<const std::byte> bytes,
                  std::uint64_t mark) noexcept;
  /// One word of the transport's own; no mark.
  bool push_word(std::uint64_t offset, std::uint64_t word) noexcept;
  /// A write of nothing that takes a receive at the peer and wakes it.
  bool push_doorbell() noexcept;

  /// True when the chain should be given to the device without waiting for a flush.
  [[nodiscard]] bool chain_is_full() const noexcept { return next_ - given_ >= depth() / 8; }
  /// Ends the chain and says it is given to the device: its first request, null if there is none.
  /// The caller posts it at once. `signal`: ask for a completion in any case.
  [[nodiscard]] ibv_send_wr* take_chain(bool signal = false) noexcept;
  /// A completion came: `request_id` of it.
  void complete(std::uint64_t request_id) noexcept;
  /// All requests are complete.
  [[nodiscard]] bool idle() const noexcept { return freed_ == next_; }

  /// Transport::completed, for a link that is up.
  [[nodiscard]] std::uint64_t completed() const noexcept;
  [[nodiscard]] std::uint64_t last_mark() const noexcept { return last_mark_; }
  [[nodiscard]] const Counts& counts() const noexcept { return counts_; }

 private:
  enum class Source : std::uint8_t { copied, until_given, until_complete };
  struct alignas(64) Staged {
    std::array<std::byte, kInlineBytes> bytes;
  };
  struct Slot {
    ibv_send_wr request{};
    ibv_sge piece{};
    std::uint64_t mark_before = 0;  ///< complete when all before this request is
    Source source = Source::copied;
  };

  [[nodiscard]] std::uint32_t depth() const noexcept { return shape_.depth; }
  [[nodiscard]] bool room_for(std::uint64_t requests) const noexcept {
    return next_ - freed_ + requests <= depth();
  }
  void push(std::uint64_t offset, std::span<const std::byte> bytes) noexcept;
  [[nodiscard]] bool is_free(std::uint64_t number) const noexcept;
  void release_sources() noexcept;

  Shape shape_;
  std::uint64_t target_address_ = 0;
  std::uint32_t target_key_ = 0;
  std::vector<Slot> slots_;
  std::vector<Staged> staged_;
  std::uint64_t freed_ = 0;  ///< all requests below are complete
  std::uint64_t given_ = 0;  ///< all below were given to the device
  std::uint64_t next_ = 0;
  std::uint64_t held_ = 0;  ///< no request below has a source in use
  std::uint32_t unsignalled_ = 0;
  bool waited_for_ = false;       ///< the chain has a source that is free only once it is complete
  std::uint64_t mark_below_ = 0;  ///< the highest mark less than last_mark_
  std::uint64_t last_mark_ = 0;
  Counts counts_;
};

}  // namespace lockstep::transports
