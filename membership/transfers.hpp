#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/error.hpp"
#include "lockstep/state_machine.hpp"
#include "membership/donation.hpp"
#include "membership/donors.hpp"
#include "membership/reception.hpp"
#include "ordering/view_order.hpp"
#include "transports/state_channel.hpp"
#include "transports/transport.hpp"

namespace lockstep::membership {

/// Whoever can get a member a channel to another one.
class Dialler {
 public:
  virtual ~Dialler() = default;
  /// Asks for a channel; it arrives (Transfers::arrived), or does not.
  virtual void dial_for_state(transports::LinkId link) = 0;
};

/// The state that a member gives, and the one that it gets. Who gives to whom is known to all
/// (Donors). Reactor thread only.
class Transfers {
 public:
  /// `names`: of all links. All must outlive this.
  Transfers(StateMachine& application, Dialler& dialler, const std::vector<std::string>& names,
            transports::LinkId mine)
      : application_(application), dialler_(dialler), names_(names), mine_(mine) {}

  /// A view begins: before its first message, since that is the cut. True: this member, which lacks
  /// the state, gets the one of this cut; whatever it got before is void.
  bool installed(std::uint64_t view, const ordering::ViewLayout& layout, const Donors& donors,
                 bool has_state);
  void arrived(transports::LinkId link, std::unique_ptr<transports::StateChannel> channel);

  /// A bounded piece of it all. True if anything was done.
  bool step(std::uint64_t now_ns);
  /// Something is on its way.
  [[nodiscard]] bool going() const noexcept { return given_ || reception_; }

  [[nodiscard]] bool received() const noexcept {
    return reception_ && reception_->state() == Reception::State::complete && reception_->settled();
  }
  /// This member lacks the state, and nobody is free yet to give it.
  [[nodiscard]] bool waits() const noexcept { return waits_; }
  /// Why this member will not get the state; nothing: it may. Codes: state_refused (the
  /// application here cannot use it), member_lost (another donor may do better).
  [[nodiscard]] std::optional<Error> failure() const;
  /// This member has the state, and applied what came since.
  void caught_up() noexcept;

 private:
  struct Given {
    transports::LinkId to;
    std::unique_ptr<transports::StateChannel> channel;
    std::unique_ptr<Donation> donation;
  };
  bool step_donation();
  bool step_reception(std::uint64_t now_ns);

  StateMachine& application_;
  Dialler& dialler_;
  const std::vector<std::string>& names_;
  const transports::LinkId mine_;
  bool waits_ = false;
  std::optional<Given> given_;
  std::optional<Reception> reception_;
  transports::LinkId donor_ = 0;  ///< of `reception_`
  std::unique_ptr<transports::StateChannel> channel_;
  std::uint64_t dial_ns_ = 0;  ///< not before
};

}  // namespace lockstep::membership
