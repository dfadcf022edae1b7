#pragma once

#include <vector>

#include "lockstep/error.hpp"
#include "transports/hello/descriptor.hpp"
#include "transports/transport.hpp"

namespace lockstep::transports {

/// The sockets over which members met, kept by a medium of its own kind (verbs) for what they tell:
/// the kernel closes them when a process dies, long before the medium notices. Nothing is said over
/// them any more; what comes nevertheless is thrown away.
class SocketWatch {
 public:
  /// Errors: system.
  static Expected<SocketWatch> create();
  SocketWatch() = default;

  /// Errors: system.
  Expected<void> add(LinkId link, Descriptor socket);
  void drop(LinkId link) noexcept;

  /// A link whose socket has ended since the last call, if any: its socket is closed.
  bool take_ended(LinkId& link) noexcept;

  /// Readable when take_ended is worth a call.
  [[nodiscard]] int descriptor() const noexcept { return epoll_.get(); }

 private:
  struct Watched {
    LinkId link;
    Descriptor socket;
  };

  Descriptor epoll_;
  std::vector<Watched> watched_;
};

}  // namespace lockstep::transports
