#pragma once

#include <cstdint>

#include "transports/transport.hpp"

namespace lockstep::transports {

/// Which faults a FaultyTransport injects. Chances are per thousand posts, drawn from `seed`.
///
/// All of them are faults the Transport contract permits. Losing, reordering or changing a write,
/// or losing a doorbell, is none, and cannot be asked for.
struct FaultPlan {
  std::uint64_t seed = 1;

  /// How often a run of would_block begins, and its greatest length in posts.
  std::uint32_t would_block_permille = 20;
  std::uint32_t would_block_burst = 4;

  /// How often a post, and so every later one of its link, is held back; for how many polls at
  /// most; and how many posts of a link are held before it is would_block.
  std::uint32_t hold_permille = 20;
  std::uint32_t hold_polls = 8;
  std::uint32_t hold_writes = 32;

  /// The link that goes down after `down_after_posts` posts; 0 posts means never. Its last posts
  /// may never be seen by the peer.
  LinkId down_link = 0;
  std::uint64_t down_after_posts = 0;
  DownReason down_reason = DownReason::link_failed;
};

}  // namespace lockstep::transports
