#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lockstep/error.hpp"
#include "transports/hello/descriptor.hpp"
#include "transports/hello/hello_packet.hpp"
#include "transports/hello/meeting_place.hpp"

namespace lockstep::transports {

/// How the members of a group find one another and agree that they belong together.
///
/// Each member listens at its own place; the higher rank of each pair dials the lower. Both say
/// hello at once: version, medium, layout, who they are, an introduction that the transport does
/// not interpret, and what the medium needs to be told (region keys, descriptors).
struct MeetingOptions {
  std::string group;
  std::vector<std::string> members;
  std::uint32_t my_rank = 0;
  Medium medium = Medium::shm;
  std::uint64_t region_bytes = 0;
  std::uint64_t timeout_ns = 0;
  std::string introduction;          ///< at most kMaxIntroductionBytes
  std::size_t descriptor_count = 0;  ///< that come with every hello
  bool life_lines = false;           ///< each pair makes a second connection, see LifeLines
};

/// What goes to one peer beside the introduction.
struct Offer {
  std::string parameters;        ///< at most kMaxParametersBytes
  std::vector<int> descriptors;  ///< stay the caller's
};
using OfferFor = std::function<Offer(std::uint32_t rank)>;

/// What one peer handed over.
struct MetPeer {
  std::uint32_t rank = 0;
  Descriptor socket;  ///< over which we met; its end tells that the peer is gone
  std::string parameters;
  std::vector<Descriptor> descriptors;
  Descriptor life_line{};  ///< if they are asked for
};

/// Everyone, and the place: `listener` must stay open as long as this member is one, since it is
/// what keeps another process from taking the same identity.
struct Met {
  Descriptor listener;
  std::vector<MetPeer> peers;          ///< one per other member, by rank
  std::uint64_t refused = 0;           ///< connections of who is no member
  std::vector<std::string> notices{};  ///< for people: of the place, and of who was refused
};

/// Looks at a peer's introduction before anything of it is used; an error ends the meeting.
using Examine = std::function<Expected<void>(std::uint32_t rank, const std::string& introduction)>;

/// Meets all other members at `place`. Blocks for at most `timeout_ns`. Strangers that say
/// nothing, or nonsense, are dropped and cost nothing but a descriptor for at most 5 s; there are
/// at most twice as many of them as members and 8, and the oldest makes room, first among those
/// that have not shown that they may be members. Where members have a key no stranger can end the
/// meeting. Errors: identity_in_use, member_absent (with who was refused, and why), member_lost,
/// mismatch (both values named), system.
Expected<Met> meet(const MeetingOptions& options, MeetingPlace& place, const OfferFor& offer_for,
                   const Examine& examine);

}  // namespace lockstep::transports
