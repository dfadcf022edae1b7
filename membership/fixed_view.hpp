#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lockstep/config.hpp"
#include "lockstep/group.hpp"
#include "lockstep/state_machine.hpp"
#include "lockstep/view.hpp"
#include "membership/duty_cycle.hpp"
#include "membership/introduction.hpp"
#include "runtime/counters.hpp"
#include "runtime/mailbox.hpp"
#include "runtime/reactor.hpp"
#include "transports/transport.hpp"

namespace lockstep::membership {

/// A group whose members are those of its configuration, all of them, until one is lost: what
/// stands behind Group. It connects, installs the one view, and from then on turns with its
/// reactor.
class FixedView final : public Control {
 public:
  static Expected<std::unique_ptr<FixedView>> join(runtime::Reactor& reactor,
                                                   const GroupConfig& config,
                                                   StateMachine& state_machine);
  ~FixedView() override;
  FixedView(const FixedView&) = delete;
  FixedView& operator=(const FixedView&) = delete;

  /// See Group::claim: the payload's place, or null and why. Counts claims.
  std::byte* claim(std::size_t bytes, Refusal& refusal) noexcept {
    ++claim_number_;
    if (bytes < claim_limit_) [[likely]] {
      std::byte* const payload = cycle_->order().claim(bytes);
      if (payload != nullptr) [[likely]] {
        return payload;
      }
    }
    refusal = refuse(bytes);
    return nullptr;
  }
  [[nodiscard]] std::uint64_t claim_number() const noexcept { return claim_number_; }
  void publish(std::uint64_t claim, std::uint64_t token) noexcept;

  std::expected<void, Refusal> post(std::span<const std::byte> payload,
                                    std::uint64_t token) noexcept;

  [[nodiscard]] const View& view() const noexcept { return view_; }
  [[nodiscard]] std::size_t max_payload_bytes() const noexcept;
  [[nodiscard]] bool drained() const noexcept { return cycle_->order().drained(); }

  bool control_step(std::uint64_t now_ns) noexcept override;
  [[nodiscard]] bool control_pending() const noexcept override;
  void member_lost(std::uint32_t rank, transports::DownReason reason) noexcept override;
  void member_silent(std::uint32_t rank) noexcept override;

 private:
  FixedView(runtime::Reactor& reactor, const GroupConfig& config, StateMachine& state_machine);
  Expected<void> connect();
  void bind_memory();
  Expected<void> settle_idle_policy(const std::vector<Introduction>& introductions);
  [[nodiscard]] ordering::ViewLayout layout_of(
      const std::vector<Introduction>& introductions) const;
  void install();
  void make_counters();
  void publish_counters(std::uint64_t now_ns) noexcept;
  bool drain_mailbox() noexcept;
  Refusal refuse(std::size_t bytes) noexcept;
  void lose(std::uint32_t rank, std::string reason) noexcept;

  runtime::Reactor& reactor_;
  GroupConfig config_;
  StateMachine& state_machine_;
  View view_;
  std::unique_ptr<transports::Transport> transport_;
  std::unique_ptr<DutyCycle> cycle_;
  std::unique_ptr<runtime::Mailbox> mailbox_;
  std::atomic<bool> open_{true};  ///< read by posting threads
  std::uint64_t claim_number_ = 0;
  std::size_t claim_limit_ = 0;  ///< claims must be smaller; 0 unless this member may send now

  std::vector<runtime::Counter> counters_;
  std::vector<runtime::Counter> stalls_by_rank_;
  std::uint64_t counters_due_ns_ = 0;
};

}  // namespace lockstep::membership
