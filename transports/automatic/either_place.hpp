#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "transports/hello/tcp_place.hpp"
#include "transports/shm/unix_place.hpp"

namespace lockstep::transports {

/// Members meet at unix sockets where they reach one another by them, else at TCP ports. Each
/// listens at both, first at its unix socket: whoever has answered over TCP once and is within
/// reach is found near from then on, so that which way two members meet does not depend on who came
/// first (a link is made after a question was answered, see Meeting).
class EitherPlace final : public MeetingPlace {
 public:
  EitherPlace(UnixPlace near, TcpPlace far) : near_(std::move(near)), far_(std::move(far)) {}

  /// Readable when somebody waits at either.
  Expected<Descriptor> listen() override;
  Expected<std::unique_ptr<Conversation>> dial(std::uint32_t rank) override;
  std::unique_ptr<Conversation> accept(const Descriptor& listener) override;
  [[nodiscard]] AddressBook* addresses() noexcept override { return far_.addresses(); }
  [[nodiscard]] std::string notice() const override { return far_.notice(); }

 private:
  UnixPlace near_;
  TcpPlace far_;
  Descriptor near_listener_;
  Descriptor far_listener_;
};

}  // namespace lockstep::transports
