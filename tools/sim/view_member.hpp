#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "membership/donors.hpp"
#include "membership/views.hpp"
#include "tools/sim/payload.hpp"
#include "tools/sim/view_simulation.hpp"

namespace lockstep::sim::inline LOCKSTEP_VARIANT {

/// One member: the real views and order, driven by hand.
class ViewSimulation::Member final : public MessageHandler, public membership::ViewEvents {
 public:
  Member(ViewSimulation& simulation, std::uint32_t which)
      : number(which), plan(simulation.scenario_.members[which]), simulation_(simulation) {}

  /// Its first view.
  void begin(std::uint64_t id, const ordering::ViewLayout& layout, bool founds,
             const membership::Donors& donors = {}) {
    membership::ViewsOptions options{
        .observation = {.heartbeat_interval_ns = simulation_.scenario_.heartbeat_ns,
                        .silence_timeout_ns = simulation_.scenario_.silence_ns},
        .agreement = {.patience_ns = simulation_.scenario_.patience_ns,
                      .doubt_ns = simulation_.scenario_.heartbeat_ns},
        .wall_offset_ns = simulation_.random_.below(1'000'000),
        .has_state = founds,
        .donors = donors};
    has_state = founds;
    views = std::make_unique<membership::Views>(simulation_.network_.endpoint(number), layout, id,
                                                *this, *this, options);
    view = id;
    tell(id, layout);
    note_donations(id, donors);
  }
  [[nodiscard]] bool is_in() const { return views != nullptr; }

  void apply(const Message& message) override {
    const ordering::ViewLayout& layout = views->order().layout();
    const std::uint32_t sender =
        message.sender < layout.members ? member_of(layout, message.sender) : ~0U;
    simulation_.add(TraceKind::deliver, number, sender, message.sequence, message.payload.size());
    simulation_.invariants_.delivered(
        {.at_ns = simulation_.clock_.now_ns(),
         .member = number,
         .sequence = message.sequence,
         .sender = sender,
         .timestamp_ns = message.timestamp_ns,
         .bytes = message.payload.size(),
         .hash = payload_hash(message.payload),
         .token = message.mine ? std::optional(message.token) : std::nullopt});
    ++simulation_.report_.deliveries;
    if (has_state) {
      chain = link_chain(chain, sender, payload_hash(message.payload));
    } else {
      waiting.push_back({sender, payload_hash(message.payload)});
    }
    if (simulation_.random_.chance(plan.publish_in_apply_permille)) simulation_.publish_one(*this);
  }
  bool control_step(std::uint64_t /*now_ns*/) noexcept override { return false; }
  [[nodiscard]] bool control_pending() const noexcept override { return false; }
  void view_installed(std::uint64_t id, const ordering::ViewLayout& layout,
                      const membership::Donors& donors) noexcept override {
    if (!has_quorum) {
      simulation_.invariants_.note(fmt::format(
          "events: member {} installed view {}, and was not told that there is a quorum again",
          number, id));
    }
    simulation_.add(TraceKind::install, number, layout.my_rank, id, layout.members);
    tell(id, layout);
    note_donations(id, donors);
    simulation_.report_.views = std::max(simulation_.report_.views, id);
    simulation_.report_.operations =
        simulation_.network_.operations() - simulation_.first_operation_;
  }
  void tell(std::uint64_t id, const ordering::ViewLayout& layout) {
    std::vector<std::uint32_t> members;
    for (std::uint32_t rank = 0; rank < layout.members; ++rank) {
      members.push_back(member_of(layout, rank));
    }
    simulation_.invariants_.installed(number, id, members, simulation_.clock_.now_ns());
  }
  void takes_messages_changed(bool takes_messages) noexcept override {
    claims_open = takes_messages;
  }
  void quorum_changed(bool quorum) noexcept override {
    if (quorum == has_quorum)
      simulation_.invariants_.note("events: a quorum changed to what it was");
    has_quorum = quorum;
    simulation_.add(quorum ? TraceKind::quorum : TraceKind::no_quorum, number);
  }
  void evicted() noexcept override {
    simulation_.add(TraceKind::evicted, number);
    simulation_.invariants_.evicted(number);
    simulation_.report_.evicted |= std::uint64_t{1} << number;
  }
  void link_down(transports::LinkId link, transports::DownReason reason) noexcept override {
    simulation_.add(TraceKind::lost, number, link, static_cast<std::uint64_t>(reason));
  }

  void link_silent(transports::LinkId /*link*/) noexcept override {}

  // What is real here is who gives to whom, and from which cut on; the state itself is a hash.
  void note_donations(std::uint64_t id, const membership::Donors& donors) {
    ViewInvariants::Donations told;
    for (const auto& one : donors.donations()) told.push_back({one.to, one.from, one.cut});
    simulation_.invariants_.gives(number, id, told);
    if ((donors.waiting() >> views->order().layout().my_rank & 1U) != 0) loading.reset();
    for (const membership::Donors::Donation& donation : donors.donations()) {
      if (donation.cut != id) continue;
      if (donation.from == number) cuts[id] = chain;
      if (donation.to != number || has_state) continue;
      waiting.clear();
      loading = donation;
      loaded_ns = simulation_.clock_.now_ns() +
                  simulation_.random_.below(simulation_.scenario_.loading_ns + 1);
    }
  }

  static std::uint32_t member_of(const ordering::ViewLayout& layout, std::uint32_t rank) {
    return layout.links.empty() ? rank : layout.links[rank];
  }

  const std::uint32_t number;
  const MemberPlan& plan;

 private:
  ViewSimulation& simulation_;

 public:
  std::uint64_t next_ns = 0;
  std::uint64_t ahead_ns = 0;  ///< of its clock, since it leapt
  std::uint64_t next_publish_ns = 0;
  std::uint32_t published = 0;
  std::uint64_t accuses_until_ns = transports::kNever;
  bool claims_open = true;
  bool has_quorum = true;  ///< as last told
  bool crashed = false;
  std::uint64_t promised = 0;  ///< as last seen by note_steps
  std::uint64_t accepted = 0;
  std::uint64_t opened = 0;  ///< the last attempt of its own, and when
  std::uint64_t opened_ns = 0;
  std::uint64_t view = 1;
  std::uint64_t installed = 0;  ///< views after its first
  bool asleep = false;
  std::unique_ptr<membership::Views> views;  ///< none: it is not in the group, or not yet

  bool comes = false;       ///< a joiner that is there
  std::uint64_t nonce = 0;  ///< of a joiner
  std::uint64_t links = 0;  ///< of a joiner: to whom it has links
  bool has_state = false;
  std::uint64_t chain = 0;                      ///< its state
  std::map<std::uint64_t, std::uint64_t> cuts;  ///< of a donor: the state at the cut
  std::optional<membership::Donors::Donation> loading;
  std::uint64_t loaded_ns = transports::kNever;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> waiting;  ///< delivered, not in the state
};

}  // namespace lockstep::sim::inline LOCKSTEP_VARIANT
