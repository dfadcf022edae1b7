#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lockstep/error.hpp"

namespace lockstep::bench {

/// Bare TCP connections over loopback between all members, or pairs of connected UDP sockets, made
/// before they start and inherited by them: what the floors of these transports use. Not blocking;
/// TCP without delay (TCP_NODELAY), UDP with room for what SocketStreams sends at once.
class SocketMesh {
 public:
  /// Errors: system.
  static Expected<SocketMesh> create(std::uint32_t members, bool udp);
  ~SocketMesh();
  SocketMesh(SocketMesh&& other) noexcept = default;
  SocketMesh& operator=(SocketMesh&&) = delete;

  /// The end that `rank` uses of the connection to `peer`; the mesh's.
  [[nodiscard]] int socket(std::uint32_t rank, std::uint32_t peer) const noexcept {
    return sockets_[std::size_t{rank} * members_ + peer];
  }
  /// UDP: how many bytes may be on their way to a socket at least, so that none are lost.
  [[nodiscard]] std::uint64_t window_bytes() const noexcept { return window_bytes_; }
  /// UDP: the largest datagram of a stream, which goes in one piece.
  [[nodiscard]] std::uint64_t datagram_bytes() const noexcept { return datagram_bytes_; }
  [[nodiscard]] std::uint32_t members() const noexcept { return members_; }

 private:
  explicit SocketMesh(std::uint32_t members)
      : members_(members), sockets_(std::size_t{members} * members, -1) {}

  std::uint32_t members_;
  std::vector<int> sockets_;  ///< by rank, then by peer
  std::uint64_t window_bytes_ = 0;
  std::uint64_t datagram_bytes_ = 0;
};

}  // namespace lockstep::bench
