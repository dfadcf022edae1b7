#include "membership/catch_up.hpp"

#include <utility>

namespace lockstep::membership {

void CatchUp::apply(const Message& message) {
  if (paused_ || overflowed()) return;
  bytes_ += sizeof(Kept) + message.payload.size();
  kept_.push_back(
      {.message = message, .payload = {message.payload.begin(), message.payload.end()}});
}

void CatchUp::view_installed(const View& view) {
  if (!paused_) kept_.push_back({.view = view});
}

void CatchUp::begin_anew() noexcept {
  kept_.clear();
  bytes_ = 0;
  paused_ = false;
}

void CatchUp::pause() noexcept {
  begin_anew();
  paused_ = true;
}

bool CatchUp::replay(StateMachine& application, std::size_t most) {
  for (std::size_t told = 0; told < most && !kept_.empty(); ++told) {
    Kept next = std::move(kept_.front());
    kept_.pop_front();
    if (next.view) {
      application.view_installed(*next.view);
    } else {
      bytes_ -= sizeof(Kept) + next.payload.size();
      next.message.payload = next.payload;
      application.apply(next.message);
    }
  }
  return kept_.empty();
}

}  // namespace lockstep::membership
