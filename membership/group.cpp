#include "lockstep/group.hpp"

#include <utility>

#include "membership/fixed_view.hpp"

namespace lockstep {

std::string_view to_string(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::would_block:
      return "would_block";
    case Outcome::too_large:
      return "too_large";
    case Outcome::not_sender:
      return "not_sender";
    case Outcome::not_member:
      return "not_member";
  }
  return "unknown";
}

void Slot::publish(std::uint64_t token) const noexcept { view_->publish(claim_, token); }

Expected<Group> Group::join(Reactor& reactor, const GroupConfig& config,
                            StateMachine& state_machine) {
  auto view = membership::FixedView::join(reactor.implementation(), config, state_machine);
  if (!view) return std::unexpected(view.error());
  return Group(std::move(*view));
}

Group::Group(std::unique_ptr<membership::FixedView> view) noexcept : view_(std::move(view)) {}
Group::~Group() = default;
Group::Group(Group&&) noexcept = default;

std::expected<Slot, Refusal> Group::claim(std::size_t bytes) noexcept {
  Refusal refusal;
  std::byte* const room = view_->claim(bytes, refusal);
  if (room == nullptr) return std::unexpected(refusal);
  return Slot(view_.get(), {room, bytes}, view_->claim_number());
}

std::expected<void, Refusal> Group::post(std::span<const std::byte> payload,
                                         std::uint64_t token) noexcept {
  return view_->post(payload, token);
}

const View& Group::view() const noexcept { return view_->view(); }
std::size_t Group::max_payload_bytes() const noexcept { return view_->max_payload_bytes(); }
bool Group::drained() const noexcept { return view_->drained(); }

}  // namespace lockstep
