#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/endpoint.hpp"
#include "transports/hello/meeting_place.hpp"

namespace lockstep::transports {

/// Members meet at TCP ports, one per member, over IPv4 or IPv6. The sockets have no delay
/// (TCP_NODELAY) and do not block.
class TcpPlace final : public MeetingPlace {
 public:
  /// `addresses`: one per member, as runtime::parse_endpoint reads them. Errors: configuration.
  static Expected<TcpPlace> make(std::vector<std::string> addresses, std::uint32_t my_rank);

  Expected<Descriptor> listen() override;
  Expected<std::unique_ptr<Conversation>> dial(std::uint32_t rank) override;
  std::unique_ptr<Conversation> accept(const Descriptor& listener) override;

 private:
  TcpPlace() = default;

  std::vector<std::string> addresses_;
  std::vector<runtime::Endpoint> endpoints_;
  std::uint32_t my_rank_ = 0;
};

}  // namespace lockstep::transports
