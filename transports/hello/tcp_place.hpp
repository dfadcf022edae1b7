#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/endpoint.hpp"
#include "transports/hello/group_key.hpp"
#include "transports/hello/handshake.hpp"
#include "transports/hello/meeting_place.hpp"

namespace lockstep::transports {

/// Members meet at TCP ports, one per member, over IPv4 or IPv6. The sockets have no delay
/// (TCP_NODELAY) and do not block. With a key they authenticate one another before anything of the
/// group is said; without one whoever reaches a port is believed.
class TcpPlace final : public MeetingPlace {
 public:
  struct Options {
    std::string group;
    /// One per member, as runtime::parse_endpoint reads them; empty: not known. Mine is needed.
    std::vector<std::string> addresses;
    std::uint32_t my_rank = 0;
    /// Of what is said of where this member listens, see AddressWord.
    std::uint64_t version = 1;
    const GroupKey* key = nullptr;  ///< null: in the clear. Must outlive this and what it makes
  };
  /// Errors: configuration.
  static Expected<TcpPlace> make(Options options);

  Expected<Descriptor> listen() override;
  Expected<std::unique_ptr<Conversation>> dial(std::uint32_t rank) override;
  std::unique_ptr<Conversation> accept(const Descriptor& listener) override;
  [[nodiscard]] AddressBook* addresses() noexcept override { return &book_; }
  [[nodiscard]] std::string notice() const override;

 private:
  TcpPlace(Options options, const runtime::Endpoint& mine);
  [[nodiscard]] std::unique_ptr<Conversation> converse(Descriptor socket, Side side,
                                                       std::uint32_t welcomer_rank,
                                                       std::string peer, std::string host) const;

  Options options_;
  runtime::Endpoint mine_;
  AddressBook book_;
};

}  // namespace lockstep::transports
