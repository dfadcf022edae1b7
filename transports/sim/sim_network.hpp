#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/clock.hpp"
#include "transports/sim/random.hpp"
#include "transports/sim/sim_link.hpp"
#include "transports/sim/sim_options.hpp"
#include "transports/transport.hpp"

namespace lockstep::transports {

/// Told what happens on a simulated network, as it happens. For traces; must not call back.
class SimObserver {
 public:
  virtual ~SimObserver() = default;
  /// A step of the write at `progress.offset` from `from` to `to`.
  virtual void on_progress(std::uint64_t now_ns, std::uint32_t from, std::uint32_t to,
                           const SimLink::Progress& progress) = 0;
  /// A doorbell reached the sleeping member `rank`.
  virtual void on_wake(std::uint64_t now_ns, std::uint32_t rank) = 0;
  /// The end of the link to `peer` at `rank` went down.
  virtual void on_down(std::uint64_t now_ns, std::uint32_t rank, std::uint32_t peer) = 0;
};

/// A network of N members inside one thread, in virtual time, every choice of which comes from one
/// seed: the same seed and the same calls give the same run. The method is TigerBeetle's
/// (src/vopr.zig): the protocol cannot tell, and a failure replays.
///
/// It keeps every promise of the Transport contract and no other: writes of one link become
/// visible in posting order, a word is never torn, but links race one another, a large write
/// becomes visible piecemeal in whatever order `write_order` allows, links clog, sources are read
/// late, completions say nothing about visibility, and a doorbell rings only for a write that
/// becomes visible while its reader sleeps.
///
/// The driver moves time: while it steps a member nothing happens on the wire. Bounded by its
/// options; allocates.
class SimNetwork {
 public:
  SimNetwork(std::uint64_t seed, const SimOptions& options, runtime::ManualClock& clock);
  ~SimNetwork();
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  /// The transport of one member; owned by the network.
  [[nodiscard]] Transport& endpoint(std::uint32_t rank);

  /// When the next thing happens; kNever if nothing is under way.
  [[nodiscard]] std::uint64_t next_event_ns() const;

  /// Lets everything due up to `now_ns` happen, in order of time, and sets the clock to it.
  void advance_to(std::uint64_t now_ns);

  /// True if a doorbell rang for `rank` since it announced its sleep.
  [[nodiscard]] bool is_woken(std::uint32_t rank) const;

  /// Takes the link between two members down: now, for `reason`, at `rank`; within the longest
  /// delay, as link_failed, at `peer`. What is under way from either end when it goes is lost.
  void fail_link(std::uint32_t rank, std::uint32_t peer, DownReason reason);

  /// A link to `peer` for `rank` to adopt, made anew after it failed at both ends. `peer` adopts
  /// its end at `peer_adopts_ns`: nothing arrives there before.
  [[nodiscard]] static std::unique_ptr<Newcomer> make_link(std::uint32_t peer,
                                                           std::uint64_t peer_adopts_ns);

  /// Cuts one direction of a link for a time: what is sent meanwhile arrives afterwards, in order,
  /// as over a transport that repeats what is lost until it gets through.
  void cut(std::uint32_t from, std::uint32_t to, std::uint64_t until_ns);

  /// From now on no link clogs: for what must hold once faults stop.
  void calm();

  /// The member is gone: what has not left its memory is lost, what has still arrives; its peers
  /// see peer_died, each at a time of its own. The driver must not step it again.
  void crash(std::uint32_t rank);

  /// Writes posted so far by all members: the operations of the transport, in order.
  [[nodiscard]] std::uint64_t operations() const { return operations_; }
  /// Whoever posts that operation dies doing it: what it posted before arrives, nothing after. The
  /// driver is to ask `died` after each step of a member, and `crash` it then.
  void die_at(std::uint64_t operation) { deaths_.push_back(operation); }
  [[nodiscard]] bool died(std::uint32_t rank) const { return members_[rank].died; }
  /// How often the member asked for new keys (Transport::renew_keys), of which there are none here.
  [[nodiscard]] std::uint64_t renewals(std::uint32_t rank) const { return members_[rank].renewals; }

  /// `observer` may be null. Not owned.
  void observe(SimObserver* observer) { observer_ = observer; }

 private:
  class Endpoint;
  struct Member {
    std::unique_ptr<Endpoint> endpoint;
    std::vector<CacheLine> source;
    bool sleeping = false;
    bool woken = false;
    bool crashed = false;
    bool died = false;
    std::uint64_t renewals = 0;
  };
  /// One member's end of a link.
  struct End {
    std::uint64_t down_ns = kNever;  ///< when it will go down
    DownReason reason = DownReason::link_failed;
    bool down = false;
    bool reported = true;
  };

  [[nodiscard]] std::size_t index(std::uint32_t from, std::uint32_t to) const {
    return std::size_t{from} * options_.members + to;
  }
  [[nodiscard]] SimLink& link(std::uint32_t from, std::uint32_t to) {
    return *links_[index(from, to)];
  }
  /// Whichever of `next_ns_` comes first.
  [[nodiscard]] std::size_t first_index() const;
  /// After any change to the link or end at `index`.
  void refresh(std::size_t index);
  void happen(std::size_t index);
  void take_down(std::uint32_t rank, std::uint32_t peer, DownReason reason, bool report);
  void schedule_down(std::uint32_t rank, std::uint32_t peer, DownReason reason);
  void bring_up(std::uint32_t rank, std::uint32_t peer, std::uint64_t peer_adopts_ns);
  /// One more operation, by `rank`. True if it takes place.
  bool take_place(std::uint32_t rank);
  void wake(std::uint32_t rank);
  void announce_sleep(std::uint32_t rank);
  void ring_doorbells(std::uint32_t rank);

  const SimOptions options_;
  runtime::ManualClock& clock_;
  Random random_;
  std::vector<CacheLine> nobody_;  ///< what the peer of a link wrote that is not there
  std::vector<Member> members_;
  std::vector<std::unique_ptr<SimLink>> links_;  ///< from × members + to; null from self to self
  std::vector<End> ends_;                        ///< rank × members + peer
  std::vector<std::uint64_t> next_ns_;           ///< of each link or end
  std::uint64_t operations_ = 0;
  std::vector<std::uint64_t> deaths_;
  mutable std::size_t first_ = 0;  ///< into next_ns_, as long as `first_known_`
  mutable bool first_known_ = false;
  SimObserver* observer_ = nullptr;
};

}  // namespace lockstep::transports
