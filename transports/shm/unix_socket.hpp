#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "lockstep/error.hpp"
#include "transports/hello/descriptor.hpp"

namespace lockstep::transports {

/// Unix sockets of whole packets in the abstract name space (unix(7)): no file to leave behind,
/// and the name is free again the moment its owner ends. All non-blocking.
namespace unix_socket {

/// Waits for connections under `name`. Errors: identity_in_use, system.
Expected<Descriptor> listen(const std::string& name);

/// A connection to whoever listens under `name`; an empty Descriptor if nobody does yet.
Expected<Descriptor> connect(const std::string& name);

/// The next connection, or an empty Descriptor. Connections of other users are closed unread.
Descriptor accept(const Descriptor& listener);

/// Sends one packet with up to 4 descriptors. False: the peer is gone or its queue is full.
bool send(const Descriptor& socket, std::span<const std::byte> packet,
          std::span<const int> descriptors);

enum class Receive { packet, nothing, closed };
struct Received {
  Receive what = Receive::nothing;
  std::size_t bytes = 0;
  Descriptor descriptors[4];
  std::size_t descriptor_count = 0;
};
/// The next packet into `buffer`; longer ones are cut.
Received receive(const Descriptor& socket, std::span<std::byte> buffer);

/// The process behind a connection.
pid_t peer_pid(const Descriptor& socket);

}  // namespace unix_socket
}  // namespace lockstep::transports
