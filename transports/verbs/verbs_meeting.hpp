#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lockstep/error.hpp"
#include "transports/hello/group_key.hpp"
#include "transports/hello/meeting.hpp"
#include "transports/verbs/verbs_transport.hpp"

namespace lockstep::transports {

/// What a member needs to reach the others by RDMA.
struct VerbsMeetingOptions {
  std::string group;
  std::vector<std::string> members;
  std::vector<std::string> addresses;  ///< one per member, see runtime::parse_endpoint
  std::uint64_t join_timeout_ns = 0;
  std::string introduction;
  const GroupKey* key = nullptr;  ///< with which members authenticate; null: not at all
  /// `device.address`, `members` and `region_bytes` are filled in here.
  VerbsOptions transport;
};

/// Opens the device that has this member's address, meets all members at their TCP ports, and
/// connects a queue pair with each. The sockets stay open: their end tells of a peer's death before
/// the device does. Blocks for at most twice join_timeout_ns. Errors: those of
/// VerbsTransport::open, meet and VerbsTransport::connect, and timed_out.
Expected<std::unique_ptr<VerbsTransport>> connect_by_verbs(const VerbsMeetingOptions& options,
                                                           const Examine& examine);

}  // namespace lockstep::transports
