#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ordering/variant.hpp"
#include "runtime/clock.hpp"
#include "tools/sim/invariants.hpp"
#include "tools/sim/report.hpp"
#include "tools/sim/scenario.hpp"
#include "tools/sim/sim_member.hpp"
#include "tools/sim/trace.hpp"
#include "transports/fault/faulty_transport.hpp"
#include "transports/sim/sim_network.hpp"

namespace lockstep::sim::inline LOCKSTEP_VARIANT {

/// One run of one scenario: members, network and checkers in one thread and virtual time.
///
/// The driver is the members' processors and their applications: it decides whose loop turns when,
/// who stalls, sleeps, publishes or crashes. It ends when everything is delivered and the group
/// has fallen quiet, when nothing moves although it should, or at the first violation.
class Simulation final : public Witness, public transports::SimObserver {
 public:
  Simulation(const Scenario& scenario, Trace& trace);
  Report run();

  void applied(std::uint32_t rank, const Message& message) override;
  void lost(std::uint32_t rank, std::uint32_t peer, transports::DownReason reason) override;
  void left(std::uint32_t rank) override;
  void on_progress(std::uint64_t now_ns, std::uint32_t from, std::uint32_t to,
                   const transports::SimLink::Progress& progress) override;
  void on_wake(std::uint64_t now_ns, std::uint32_t rank) override;
  void on_down(std::uint64_t now_ns, std::uint32_t rank, std::uint32_t peer) override;

 private:
  struct Member {
    std::unique_ptr<transports::FaultyTransport> faulty;
    std::unique_ptr<SimMember> loop;
    std::uint64_t next_ns = 0;  ///< its next turn
    bool asleep = false;
    bool rung = false;  ///< a doorbell woke it
    bool crashed = false;
    bool left = false;     ///< after a crash: it is in another view
    bool refused = false;  ///< its last claim; it waits for a turn that found something
    std::uint64_t next_publish_ns = 0;
    std::uint32_t published = 0;
    std::vector<std::uint64_t> delivered;  ///< by sender
    std::uint64_t lost = 0;                ///< bit mask of ranks reported lost
    [[nodiscard]] bool runs() const { return !crashed && !left; }
  };

  [[nodiscard]] std::uint64_t now_ns() const { return clock_.now_ns(); }
  [[nodiscard]] std::uint32_t member_count() const {
    return static_cast<std::uint32_t>(members_.size());
  }
  transports::Transport& transport_of(std::uint32_t rank);
  void make_members();
  [[nodiscard]] bool over() const { return invariants_.violation().has_value(); }

  /// Lets virtual time pass until `until_ns` or a violation.
  void run_until_delivered();
  void run_until_quiet();
  void run_idle();
  void run_after_crash();
  /// The next thing that happens, in whichever place.
  void advance();
  [[nodiscard]] std::uint64_t next_ns() const;
  [[nodiscard]] bool all_asleep() const;

  void turn(std::uint32_t rank);
  void wake_up(std::uint32_t rank);
  void publish_burst(std::uint32_t rank);
  bool publish_one(std::uint32_t rank);
  [[nodiscard]] bool may_publish(std::uint32_t rank) const;
  void fall_asleep(std::uint32_t rank);
  void crash();
  void let_bytes_arrive(std::uint32_t permille, std::uint64_t longest_ns);
  [[nodiscard]] std::uint64_t holders_of(std::uint32_t rank, const Message& message);
  void trace(TraceKind kind, std::uint32_t rank, std::uint32_t peer = 0, std::uint64_t first = 0,
             std::uint64_t second = 0) {
    trace_.add({now_ns(), kind, rank, peer, first, second});
  }

  const Scenario scenario_;
  Trace& trace_;
  transports::Random random_;
  runtime::ManualClock clock_;
  transports::SimNetwork network_;
  Invariants invariants_;
  std::vector<Member> members_;
  std::uint32_t unpublished_ = 0;  ///< messages that live members still have to publish
  std::uint64_t last_progress_ns_ = 0;
  bool crash_done_ = false;
  bool everybody_sleeps_ = false;
  std::uint64_t writes_seen_ = 0;
  std::uint64_t doorbells_ = 0;
  Report report_;
};

}  // namespace lockstep::sim::inline LOCKSTEP_VARIANT
