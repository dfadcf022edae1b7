#pragma once

#include <span>
#include <string>

#include "transports/tcp/tcp_link.hpp"

namespace lockstep::transports::tcp {

/// Moves bytes between the streams of links and their sockets: by the calls of plain sockets, or
/// through an io_uring. Nothing here blocks. A link that is down is left alone.
class Io {
 public:
  virtual ~Io() = default;
  /// From now on `link`, which stays where it is, is looked after. Errors: system.
  virtual Expected<void> add(Link& link) = 0;
  /// Sends what was pushed, as much as the kernel takes; perhaps with the next `submit`.
  virtual void send(Link& link) noexcept = 0;
  /// Whatever sends are held back to go together go now.
  virtual void submit() noexcept {}
  /// Receives what is there, and goes on sending where the kernel took too little.
  virtual void poll() noexcept = 0;
  /// Before the reactor sleeps: what must wake it is armed.
  virtual void announce_sleep() noexcept = 0;
  virtual void announce_awake() noexcept {}
  /// The link is down: its socket is about to be closed, its memory to go.
  virtual void remove(Link& link) noexcept = 0;
  /// Readable when a poll is worth it.
  [[nodiscard]] virtual int descriptor() const noexcept = 0;
};

}  // namespace lockstep::transports::tcp
