#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "transports/hello/meeting_place.hpp"

namespace lockstep::transports {

/// Members of one host meet at abstract unix sockets, named after user, group and member. Only
/// processes of the same user are heard.
class UnixPlace final : public MeetingPlace {
 public:
  UnixPlace(std::string group, std::vector<std::string> members, std::uint32_t my_rank)
      : group_(std::move(group)), members_(std::move(members)), my_rank_(my_rank) {}

  Expected<Descriptor> listen() override;
  Expected<std::unique_ptr<Conversation>> dial(std::uint32_t rank) override;
  std::unique_ptr<Conversation> accept(const Descriptor& listener) override;

 private:
  [[nodiscard]] std::string socket_name(std::uint32_t rank) const;

  std::string group_;
  std::vector<std::string> members_;
  std::uint32_t my_rank_;
};

}  // namespace lockstep::transports
