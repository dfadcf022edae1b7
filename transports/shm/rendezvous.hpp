#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "lockstep/error.hpp"
#include "transports/shm/unix_socket.hpp"

namespace lockstep::transports {

/// How the members of a group on one host find one another and hand over descriptors.
///
/// Each member listens under an abstract name made of user, group and member; the higher rank of
/// each pair connects to the lower. Both say hello at once: version, layout, who they are, and an
/// introduction that the transport does not interpret.
struct RendezvousOptions {
  std::string group;
  std::vector<std::string> members;
  std::uint32_t my_rank = 0;
  std::uint64_t region_bytes = 0;
  std::uint64_t timeout_ns = 0;
  std::string introduction;  ///< at most kMaxIntroductionBytes
};

inline constexpr std::size_t kMaxIntroductionBytes = 16'384;

/// Descriptors handed over with a hello, in this order.
enum HelloDescriptor : std::size_t { kRegion, kControl, kBell, kHelloDescriptors };

/// What one peer handed over.
struct PeerHello {
  std::uint32_t rank = 0;
  Descriptor socket;  ///< stays open; its end tells a sleeper that the peer is gone
  Descriptor descriptors[kHelloDescriptors];
};

/// Everyone, and the name: `listener` must stay open as long as this member is one, since it is
/// what keeps another process from taking the same identity.
struct Met {
  Descriptor listener;
  std::vector<PeerHello> peers;  ///< one per other member, by rank
};

/// The descriptors to hand to `rank`, in HelloDescriptor order; they stay the caller's.
using DescriptorsFor = std::function<std::vector<int>(std::uint32_t rank)>;

/// Looks at a peer's introduction before anything of it is used; an error ends the rendezvous.
using Examine = std::function<Expected<void>(std::uint32_t rank, const std::string& introduction)>;

/// Meets all other members. Blocks for at most `timeout_ns`. Peers that connect and say nothing,
/// or nonsense, are dropped and cost nothing but a descriptor for a while; there are at most
/// twice as many of them as members. Errors: identity_in_use, member_absent, member_lost,
/// mismatch, system.
Expected<Met> rendezvous(const RendezvousOptions& options, const DescriptorsFor& descriptors_for,
                         const Examine& examine);

}  // namespace lockstep::transports
