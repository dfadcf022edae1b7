#pragma once

#include <cstddef>
#include <memory>

#include "lockstep/error.hpp"
#include "transports/hello/meeting.hpp"
#include "transports/transport.hpp"

namespace lockstep::transports {

/// Makes what links need while members meet: memory, queue pairs. It may take long, so it happens
/// on the thread that meets, and the reactor only takes over what is ready (Transport::adopt).
///
/// One thread at a time. Must not outlive the transport that it came from.
class LinkMaker {
 public:
  virtual ~LinkMaker() = default;
  [[nodiscard]] virtual Medium medium() const noexcept = 0;
  /// Descriptors that go with every offer.
  [[nodiscard]] virtual std::size_t descriptor_count() const noexcept { return 0; }
  /// Whether each pair makes a second connection, see LifeLines.
  [[nodiscard]] virtual bool life_lines() const noexcept { return false; }
  /// What the peer must be told, who was met near or not (see Conversation). Nothing of an offer
  /// before to the same peer is used again.
  virtual Expected<Offer> offer_for(LinkId link, bool near) = 0;
  /// The last offer to this peer will not be used: lets go of what it holds.
  virtual void withdraw(LinkId /*link*/) noexcept {}
  /// The link, out of what was offered last and what the peer offered in turn.
  virtual Expected<std::unique_ptr<Newcomer>> make(MetPeer&& peer) = 0;
};

}  // namespace lockstep::transports
