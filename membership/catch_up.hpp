#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "lockstep/message.hpp"
#include "lockstep/state_machine.hpp"
#include "lockstep/view.hpp"

namespace lockstep::membership {

/// Stands in for the application of a member that has not the state yet: keeps what it would have
/// been told since the cut, and tells it when the state is there. So the joiner acknowledges like
/// everybody else, and nobody waits for it.
class CatchUp final : public MessageHandler {
 public:
  /// More bytes of messages than this are not kept: who needs so long does not catch up.
  static constexpr std::size_t kMostBytes = std::size_t{1} << 30;

  void apply(const Message& message) override;
  void view_installed(const View& view);
  /// What is kept is part of the state that comes now.
  void begin_anew() noexcept;
  /// So will be what comes now: until `begin_anew` nothing is kept.
  void pause() noexcept;

  /// Tells up to `most` of what is kept. True when nothing is left.
  bool replay(StateMachine& application, std::size_t most);
  [[nodiscard]] bool overflowed() const noexcept { return bytes_ > kMostBytes; }

 private:
  /// A view, or else a message.
  struct Kept {
    std::optional<View> view{};
    Message message{};
    std::vector<std::byte> payload{};
  };
  std::deque<Kept> kept_;
  std::size_t bytes_ = 0;
  bool paused_ = false;
};

}  // namespace lockstep::membership
