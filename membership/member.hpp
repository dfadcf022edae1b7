#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lockstep/config.hpp"
#include "lockstep/group.hpp"
#include "lockstep/state_machine.hpp"
#include "lockstep/view.hpp"
#include "membership/catch_up.hpp"
#include "membership/introduction.hpp"
#include "membership/slowness.hpp"
#include "membership/transfers.hpp"
#include "membership/views.hpp"
#include "membership/welcome.hpp"
#include "runtime/counters.hpp"
#include "runtime/mailbox.hpp"
#include "runtime/reactor.hpp"
#include "transports/greeter.hpp"
#include "transports/transport.hpp"

namespace lockstep::membership {

/// One member of a group: what stands behind Group. It founds the group with the other founders, or
/// joins it while it runs; from then on it turns with its reactor, and lets others join.
class Member final : public ViewEvents, private Dialler {
 public:
  static Expected<std::unique_ptr<Member>> join(runtime::Reactor& reactor,
                                                const GroupConfig& config,
                                                StateMachine& state_machine);
  ~Member() override;
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  /// See Group::leave.
  Expected<void> leave(std::uint64_t timeout_ns);

  /// See Group::claim: the payload's place, or null and why. Counts claims.
  std::byte* claim(std::size_t bytes, Refusal& refusal) noexcept {
    ++claim_number_;
    if (bytes < claim_limit_) [[likely]] {
      std::byte* const payload = order_->claim(bytes);
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
  [[nodiscard]] bool drained() const noexcept { return views_->drained(); }

  bool control_step(std::uint64_t now_ns) noexcept override;
  [[nodiscard]] bool control_pending() const noexcept override;
  void view_installed(std::uint64_t id, const ordering::ViewLayout& layout,
                      const Donors& donors) noexcept override;
  void takes_messages_changed(bool takes_messages) noexcept override;
  void quorum_changed(bool has_quorum) noexcept override;
  void evicted() noexcept override;
  void link_down(transports::LinkId link, transports::DownReason reason) noexcept override;
  void link_silent(transports::LinkId link) noexcept override;

 private:
  Member(runtime::Reactor& reactor, const GroupConfig& config, StateMachine& state_machine);
  // Coming: member_join.cpp.
  Expected<void> come();
  Expected<bool> connect();
  Expected<void> settle_idle_policy();
  [[nodiscard]] FirstView founding() const;
  Expected<FirstView> await_welcome(std::uint64_t deadline_ns);
  void begin(const FirstView& first, bool has_state);
  Expected<void> await_state(std::uint64_t deadline_ns);
  [[nodiscard]] Error not_in_time(const char* what) const;
  // Who comes while the group runs: member_join.cpp.
  void take_arrivals();
  void meet(transports::Arrival&& arrival);
  void mend(transports::Arrival&& arrival);
  [[nodiscard]] std::uint64_t broken_links() const noexcept;
  void heed(const transports::Standing& standing) noexcept;
  void let_go(transports::LinkId link) noexcept;
  void show_standing() noexcept;
  void ask_around(std::uint64_t now_ns);
  void dial_for_state(transports::LinkId link) override;
  bool catch_up();
  [[nodiscard]] bool may_send(transports::LinkId link) const;

  void describe_view(std::uint64_t id, const ordering::ViewLayout& layout);
  void make_counters();
  void publish_counters(std::uint64_t now_ns) noexcept;
  void publish_view_counters() noexcept;
  [[nodiscard]] std::uint64_t lag_of(std::uint32_t rank) const noexcept;
  [[nodiscard]] ordering::OrderStatistics total(
      const ordering::OrderStatistics& current) const noexcept;
  void look_for_slow_members(std::uint64_t now_ns) noexcept;
  bool drain_mailbox() noexcept;
  Refusal refuse(std::size_t bytes) noexcept;
  void report(transports::LinkId link, std::string reason) noexcept;

  runtime::Reactor& reactor_;
  const GroupConfig config_;
  const std::uint32_t my_link_;  ///< this member's place in `config_.members`
  const bool sender_;
  StateMachine& state_machine_;
  View view_;
  std::vector<transports::LinkId> links_;  ///< by rank of the view
  std::uint64_t nonce_ = 0;                ///< of this member's ring in its first view
  std::unique_ptr<transports::Transport> transport_;
  std::unique_ptr<transports::Greeter> greeter_;
  std::vector<Introduction> introductions_;      ///< by link
  std::vector<std::uint64_t> incarnations_;      ///< by link, of who is there
  std::vector<std::uint64_t> met_in_;            ///< by link, the view that it was in when we met
  std::vector<transports::LinkChoice> choices_;  ///< by link, of who was met last
  std::uint64_t there_ = 0;                      ///< links that this member has, a bit each
  std::unique_ptr<Views> views_;
  ordering::ViewOrder* order_ = nullptr;  ///< that of the current view
  std::unique_ptr<runtime::Mailbox> mailbox_;
  std::atomic<bool> open_{true};  ///< read by posting threads
  std::uint64_t claim_number_ = 0;
  std::size_t claim_limit_ = 0;  ///< claims must be smaller; 0 unless this member may send now
  bool leaving_ = false;

  Slowness slowness_;
  Transfers transfers_;
  CatchUp catch_up_;
  bool has_state_ = true;     ///< and applied what came since
  std::uint64_t broken_ = 0;  ///< as last shown, with the next
  bool mends_next_ = false;
  transports::Standing standing_;  ///< as last shown
  std::uint64_t asking_due_ns_ = 0;

  ordering::OrderStatistics past_;  ///< of the views before
  std::vector<runtime::Counter> counters_;
  std::vector<runtime::Counter> packet_counters_;  ///< empty where the medium has no packets
  std::vector<runtime::Counter> stalls_by_link_;
  /// What a watcher wants to know of one configured member.
  struct MemberCounters {
    runtime::Counter rank;         ///< in the view; ~0: not in it
    runtime::Counter lag;          ///< turns that this member has delivered and that one has not
    runtime::Counter unreachable;  ///< 1: this member does not hear it
    runtime::Counter medium;       ///< of the link, see transports::Medium; 0: there is none
    runtime::Counter encrypted;
    runtime::Counter no_shm;    ///< why not by this medium, see transports::Obstacle
    runtime::Counter no_verbs;  ///< the same
  };
  std::vector<MemberCounters> member_counters_;  ///< by link
  std::vector<runtime::Counter> view_counters_;  ///< view, my_rank, primary
  std::uint64_t counters_due_ns_ = 0;
};

}  // namespace lockstep::membership
