#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lockstep/message.hpp"
#include "membership/views.hpp"
#include "ordering/variant.hpp"
#include "ordering/view_order.hpp"
#include "transports/transport.hpp"

namespace lockstep::sim::inline LOCKSTEP_VARIANT {

/// What a simulated member tells the simulation.
class Witness {
 public:
  virtual ~Witness() = default;
  virtual void applied(std::uint32_t rank, const Message& message) = 0;
  virtual void lost(std::uint32_t rank, std::uint32_t peer, transports::DownReason reason) = 0;
  /// The view has ended for it; what comes next is none of this simulation's.
  virtual void left(std::uint32_t rank) = 0;
};

/// One member under simulation, within one view: the real views and order, driven by hand. The only
/// place where the simulation touches them.
class SimMember final : public MessageHandler, public membership::ViewEvents {
 public:
  /// Idle members beat at this interval of virtual time: far longer than any wait that a run
  /// needs, so that a lost wake-up cannot hide behind a beat.
  static constexpr std::uint64_t kBeatIntervalNs = 1'000'000'000;

  /// The id of the view simulated. Two views before it the same memory was in use.
  static constexpr std::uint64_t kView = 3;
  static constexpr std::uint64_t kOlderView = kView - transports::kRegionCopies;

  SimMember(transports::Transport& transport, const ordering::ViewLayout& layout,
            std::uint64_t view, Witness& witness, std::uint64_t wall_offset_ns);

  bool step(std::uint64_t now_ns) { return views_.step(now_ns); }
  bool prepare_to_sleep() { return views_.prepare_to_sleep(); }
  void woke() { views_.woke(); }
  [[nodiscard]] std::uint64_t deadline_ns() const { return views_.deadline_ns(); }

  /// Null when the ring is full.
  std::byte* claim(std::size_t bytes) { return views_.order().claim(bytes); }
  void publish(std::uint64_t token) { views_.order().publish(token); }
  [[nodiscard]] std::size_t max_payload_bytes() { return views_.order().max_payload_bytes(); }
  /// False once a peer was reported lost, too: the view is to end.
  [[nodiscard]] bool takes_messages() const { return !lost_peer_ && views_.takes_messages(); }
  /// From here on it delivers what the survivors hold, whether or not the lost one held it.
  [[nodiscard]] bool wedged() { return views_.order().wedged(); }
  [[nodiscard]] const ordering::ViewOrder& order() { return views_.order(); }

  /// This member's copy of the ring of `sender`.
  [[nodiscard]] std::span<std::byte> ring_of(std::uint32_t sender);

  void apply(const Message& message) override { witness_.applied(layout_.my_rank, message); }
  bool control_step(std::uint64_t /*now_ns*/) noexcept override { return false; }
  [[nodiscard]] bool control_pending() const noexcept override { return false; }
  void view_installed(std::uint64_t id, const ordering::ViewLayout& layout,
                      const membership::Donors& donors) noexcept override;
  void takes_messages_changed(bool /*takes_messages*/) noexcept override {}
  void link_silent(transports::LinkId /*link*/) noexcept override {}
  void quorum_changed(bool /*has_quorum*/) noexcept override {}
  void evicted() noexcept override { witness_.left(layout_.my_rank); }
  void link_down(transports::LinkId link, transports::DownReason reason) noexcept override;

 private:
  transports::Transport& transport_;
  const ordering::ViewLayout layout_;
  Witness& witness_;
  membership::Views views_;
  bool lost_peer_ = false;
};

}  // namespace lockstep::sim::inline LOCKSTEP_VARIANT
