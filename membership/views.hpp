#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "lockstep/error.hpp"
#include "lockstep/message.hpp"
#include "membership/admissions.hpp"
#include "membership/agreement.hpp"
#include "membership/donors.hpp"
#include "membership/observation.hpp"
#include "membership/table.hpp"
#include "ordering/variant.hpp"
#include "ordering/view_order.hpp"
#include "runtime/duty.hpp"
#include "transports/transport.hpp"

namespace lockstep::membership::inline LOCKSTEP_VARIANT {

/// What views need from whoever owns them, off the hot path, and what they tell him.
class ViewEvents {
 public:
  virtual ~ViewEvents() = default;
  /// A bounded piece of everything else: mailboxes, counters. True if anything was done.
  virtual bool control_step(std::uint64_t now_ns) noexcept = 0;
  /// Would control_step find anything?
  [[nodiscard]] virtual bool control_pending() const noexcept = 0;
  /// View `id` is installed, after the last message of the one before. Ranks are those of
  /// `layout`; `layout.links` says who they are. `donors`: who gives the state to whom.
  virtual void view_installed(std::uint64_t id, const ordering::ViewLayout& layout,
                              const Donors& donors) noexcept = 0;
  /// Claims are allowed from now on, or no longer: what Views::takes_messages says. Allowed at the
  /// start.
  virtual void takes_messages_changed(bool takes_messages) noexcept = 0;
  /// Too few members are reachable to go on, for a heartbeat interval (false), or again enough.
  /// Messages wait meanwhile.
  virtual void quorum_changed(bool has_quorum) noexcept = 0;
  /// The others went on without this member: it has delivered a prefix of what they delivered, and
  /// delivers nothing more.
  virtual void evicted() noexcept = 0;
  /// A link is down, for good.
  virtual void link_down(transports::LinkId link, transports::DownReason reason) noexcept = 0;
  /// A peer's beat has stopped; once, until it comes again.
  virtual void link_silent(transports::LinkId link) noexcept = 0;
};

struct ViewsOptions {
  Observation::Options observation;
  Agreement::Options agreement;
  /// What to add to the reactor's monotonic time to get the wall clock of message time stamps.
  std::uint64_t wall_offset_ns = 0;
  /// This member has the state that the first message of its first view is applied to; a joiner
  /// has not, until it says so.
  bool has_state = true;
  /// Who gives the state to whom in the first view, as a joiner was told.
  Donors donors{};
};

/// The loop body of one group on one reactor, and the succession of its views: the order of one
/// view, the agreement on the next, and the step from one to the other.
///
/// Sans-I/O: it sees a transport, memory and the time as a number, so the same code runs on shared
/// memory and on a simulated network in virtual time. Reactor-thread only. Allocates when a view is
/// installed, and at no other time.
class Views final : public runtime::Duty {
 public:
  /// `layout` is that of the first view, whose id is `view`.
  Views(transports::Transport& transport, const ordering::ViewLayout& layout, std::uint64_t view,
        MessageHandler& handler, ViewEvents& events, const ViewsOptions& options);
  ~Views() override;

  bool step(std::uint64_t now_ns) override;
  bool prepare_to_sleep() noexcept override;
  void woke() noexcept override;
  [[nodiscard]] std::uint64_t deadline_ns() const noexcept override;
  [[nodiscard]] std::span<const int> descriptors() const noexcept override {
    return transport_.descriptors();
  }

  /// The order of the current view. Claims are allowed while `takes_messages`.
  [[nodiscard]] ordering::ViewOrder& order() noexcept;
  [[nodiscard]] std::uint64_t view() const noexcept;
  /// This member's row of the current view, for who watches.
  [[nodiscard]] const TableRow& row() const noexcept;
  [[nodiscard]] bool takes_messages() const noexcept;
  [[nodiscard]] bool is_evicted() const noexcept { return evicted_; }
  /// Once evicted: whether all who go on know it, so that nobody needs this member any more.
  [[nodiscard]] bool eviction_is_known() const noexcept;
  /// Every message published here has been delivered by all members of the view.
  [[nodiscard]] bool drained() const noexcept;

  /// Links whose peers somebody else than this reactor knows not to answer: a supervisor that saw a
  /// process end, a monitor of the network. A bit each; stands until it is told otherwise.
  void report_unreachable(std::uint64_t links) noexcept;

  /// Ranks of the current view that lag too far behind, as far as this member sees; stands until it
  /// is told otherwise, or the view ends. When all who are not among them say the same, and are
  /// a quorum, they are unreachable: who said so alone would be left out himself.
  void report_slow(std::uint64_t ranks) noexcept;

  /// Asks the others to go on without this member; it is `evicted` when they do.
  void leave() noexcept;

  /// Somebody wants to join, and there is a link to him. When all members have one, a view follows
  /// that has him, and he is welcomed over it (find_welcome). `nonce` is that of his ring. False if
  /// the link is not free: he was named without it, and has to come anew.
  bool admit(transports::LinkId link, std::uint64_t nonce, bool sends) noexcept;
  /// Links of members of the current view or the one before, a bit each. All others are free: they
  /// can be made anew.
  [[nodiscard]] std::uint64_t links_in_use() const noexcept;
  [[nodiscard]] bool is_free(transports::LinkId link) const noexcept {
    return (links_in_use() >> link & 1U) == 0;
  }
  /// Links of members of those views that are down, a bit each: `mend` takes one made anew.
  [[nodiscard]] std::uint64_t broken_links() const noexcept { return links_in_use() & links_down_; }
  /// A broken link was made anew, with the same incarnation of its peer: rows go over it again, so
  /// that members whom nothing but broken links parted agree on the next view, and all else with
  /// that (DESIGN §6, broken links). Errors: those of Transport::adopt; it is down as before.
  Expected<void> mend(std::unique_ptr<transports::Newcomer> newcomer);
  /// This member has the state now.
  void show_state() noexcept;
  /// From now on messages go to `handler`, which outlives this.
  void deliver_to(MessageHandler& handler) noexcept { handler_ = &handler; }
  /// A member of a later view has said that it is without this one, which is `evicted`.
  void learn_of_eviction() noexcept;

 private:
  [[nodiscard]] std::uint64_t change_due_ns() const noexcept;
  struct Epoch;

  bool poll_links() noexcept;
  /// A link that is down, or whose peer writes what no correct member writes.
  void lose(const transports::LinkDown& down) noexcept;
  template <class Function>
  void each_rank_of(transports::LinkId link, Function&& function);
  bool change(std::uint64_t now_ns) noexcept;
  bool push_tables() noexcept;
  [[nodiscard]] std::uint64_t unreachable() const noexcept;
  [[nodiscard]] std::uint64_t agreed_to_be_slow(std::uint64_t unreachable) const noexcept;
  void tell_who_fell_silent() noexcept;
  void tell_whether_there_is_a_quorum(std::uint64_t now_ns) noexcept;
  void tell_quorum(bool has_quorum) noexcept;
  void tell_whether_messages_are_taken() noexcept;
  void show_whether_leaving() noexcept;
  void finish() noexcept;
  [[nodiscard]] ordering::ViewLayout next_layout(const Proposal& value) const;
  void let_go_of_evicted(const Proposal& value) noexcept;
  void deliver_all_held() noexcept;
  void collect_undelivered();
  void send_again() noexcept;
  [[nodiscard]] bool all_show() const noexcept;
  void drop_evicted() noexcept;
  [[nodiscard]] bool nobody_to_tell() const noexcept;
  void lose_who_is_not_there(const Proposal& value) noexcept;

  transports::Transport& transport_;
  MessageHandler* handler_;
  ViewEvents& events_;
  const ViewsOptions options_;
  Admissions admissions_;
  bool has_state_;
  Donors donors_;
  std::unique_ptr<Epoch> current_;
  /// The view before, until all members of the current one have shown that they are in it: whoever
  /// is late can read there how it ended.
  std::unique_ptr<Epoch> previous_;
  std::uint64_t farewell_ns_ = 0;  ///< when `previous_` may end
  std::uint64_t tables_seen_ = 0;
  std::uint64_t links_down_ = 0;  ///< a bit per link
  std::uint64_t reported_ = 0;    ///< a bit per link
  std::uint64_t due_ns_ = 0;      ///< when `change` has something to do though no table moved
  /// Own messages of ended views that nobody delivered, in order: sent again before anything new.
  struct Unsent {
    std::vector<std::byte> payload;
    std::uint64_t token;
  };
  std::deque<Unsent> unsent_;
  std::uint64_t silent_ = 0;          ///< ranks of the current view, as last told
  bool taking_messages_ = true;       ///< as last told
  bool ring_busy_ = false;            ///< the own ring may still be read by posts of two views ago
  std::uint64_t quorum_seen_ns_ = 0;  ///< when there last was one
  bool had_quorum_ = true;            ///< as last told
  bool evicted_ = false;
  bool leaving_ = false;
};

}  // namespace lockstep::membership::inline LOCKSTEP_VARIANT
