#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "membership/views.hpp"
#include "ordering/variant.hpp"
#include "runtime/clock.hpp"
#include "tools/sim/report.hpp"
#include "tools/sim/trace.hpp"
#include "tools/sim/view_checkers.hpp"
#include "tools/sim/view_scenario.hpp"
#include "transports/sim/random.hpp"
#include "transports/sim/sim_network.hpp"

namespace lockstep::sim::inline LOCKSTEP_VARIANT {

/// A group of members whose views change, in one thread and virtual time, under the checkers: what
/// Simulation is for one view.
class ViewSimulation final : private transports::SimObserver {
 public:
  ViewSimulation(const ViewScenario& scenario, Trace& trace);
  ~ViewSimulation();
  Report run();

 private:
  class Member;

  void on_progress(std::uint64_t now_ns, std::uint32_t from, std::uint32_t to,
                   const transports::SimLink::Progress& progress) override;
  void on_wake(std::uint64_t /*now_ns*/, std::uint32_t /*rank*/) override {}
  void on_down(std::uint64_t /*now_ns*/, std::uint32_t /*rank*/, std::uint32_t /*peer*/) override {}

  void publish_burst(std::uint32_t rank);
  bool publish_one(Member& member);
  void advance();
  void turn(std::uint32_t rank);
  void turn_joiner(Member& joiner);
  void seek_meetings(std::uint32_t joiner);
  void meet();
  void load(Member& joiner);
  void fail_links(const Mishap& outage);
  void seek_mending();
  void mend();
  [[nodiscard]] bool wants(const Member& member, std::uint32_t peer) const;
  void fall_asleep(Member& member);
  void befall(const Mishap& mishap);
  void befall_who_stepped(std::uint32_t rank, Mishap::Trigger step);
  void note_steps(Member& member);
  void note_attempt(Member& member);
  [[nodiscard]] std::uint64_t next_ns() const;
  [[nodiscard]] bool over() const { return invariants_.violation().has_value(); }
  [[nodiscard]] bool everything_done() const;
  void add(TraceKind kind, std::uint32_t rank, std::uint32_t peer = 0, std::uint64_t first = 0,
           std::uint64_t second = 0);

  const ViewScenario scenario_;
  Trace& trace_;
  transports::Random random_;
  runtime::ManualClock clock_;
  transports::SimNetwork network_;
  ViewInvariants invariants_;
  std::vector<std::unique_ptr<Member>> members_;
  /// A joiner's link to a member, that the member will know of.
  struct Meeting {
    std::uint64_t at_ns;
    std::uint32_t joiner;
    std::uint32_t other;
  };
  std::vector<Meeting> meetings_;
  /// A link that an outage took, and when it can be made anew.
  struct Outage {
    std::uint32_t one;
    std::uint32_t other;
    std::uint64_t until_ns;
  };
  std::vector<Outage> outages_;
  /// One end of a link that is made anew.
  struct Mending {
    std::uint64_t at_ns;
    std::uint64_t other_at_ns;
    std::uint32_t member;
    std::uint32_t other;
  };
  std::vector<Mending> mendings_;
  std::size_t next_mishap_ = 0;
  std::uint64_t first_operation_ = 0;  ///< of the change: the network's count at the first mishap
  std::vector<Mishap> waiting_;        ///< for a step of a change of view
  Report report_;
};

}  // namespace lockstep::sim::inline LOCKSTEP_VARIANT
