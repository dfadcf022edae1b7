#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lockstep/error.hpp"

namespace lockstep::bench {

/// Bare TCP connections over loopback between all members, made before they start and inherited
/// by them: what the floors of the tcp transport use. Without delay (TCP_NODELAY), not blocking.
class TcpMesh {
 public:
  /// Errors: system.
  static Expected<TcpMesh> create(std::uint32_t members);
  ~TcpMesh();
  TcpMesh(TcpMesh&& other) noexcept = default;
  TcpMesh& operator=(TcpMesh&&) = delete;

  /// The end that `rank` uses of the connection to `peer`; the mesh's.
  [[nodiscard]] int socket(std::uint32_t rank, std::uint32_t peer) const noexcept {
    return sockets_[std::size_t{rank} * members_ + peer];
  }
  [[nodiscard]] std::uint32_t members() const noexcept { return members_; }

 private:
  explicit TcpMesh(std::uint32_t members)
      : members_(members), sockets_(std::size_t{members} * members, -1) {}

  std::uint32_t members_;
  std::vector<int> sockets_;  ///< by rank, then by peer
};

}  // namespace lockstep::bench
