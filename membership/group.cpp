#include "lockstep/group.hpp"

#include <utility>

#include "membership/member.hpp"

namespace lockstep {

std::string_view to_string(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::would_block:
      return "would_block";
    case Outcome::too_large:
      return "too_large";
    case Outcome::not_sender:
      return "not_sender";
    case Outcome::wedged:
      return "wedged";
    case Outcome::not_member:
      return "not_member";
  }
  return "unknown";
}

void Slot::publish(std::uint64_t token) const noexcept { member_->publish(claim_, token); }

Expected<Group> Group::join(Reactor& reactor, const GroupConfig& config,
                            StateMachine& state_machine) {
  auto member = membership::Member::join(reactor.implementation(), config, state_machine);
  if (!member) return std::unexpected(member.error());
  return Group(std::move(*member));
}

Group::Group(std::unique_ptr<membership::Member> member) noexcept : member_(std::move(member)) {}
Group::~Group() = default;
Group::Group(Group&&) noexcept = default;

Expected<void> Group::leave(std::uint64_t timeout_ns) { return member_->leave(timeout_ns); }

std::expected<Slot, Refusal> Group::claim(std::size_t bytes) noexcept {
  Refusal refusal;
  std::byte* const room = member_->claim(bytes, refusal);
  if (room == nullptr) return std::unexpected(refusal);
  return Slot(member_.get(), {room, bytes}, member_->claim_number());
}

std::expected<void, Refusal> Group::post(std::span<const std::byte> payload,
                                         std::uint64_t token) noexcept {
  return member_->post(payload, token);
}

const View& Group::view() const noexcept { return member_->view(); }
std::size_t Group::max_payload_bytes() const noexcept { return member_->max_payload_bytes(); }
bool Group::drained() const noexcept { return member_->drained(); }

}  // namespace lockstep
