#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "transports/verbs/verbs_transport.hpp"

namespace lockstep::transports::conformance {

/// Connected verbs transports in one process: even ranks on the first RDMA device, odd ones on the
/// last, so that packets cross the wire between two devices where there are two. They exchange
/// their parameters directly; the hello between processes is tested elsewhere.
class VerbsGroup {
 public:
  /// What this machine lacks; empty if nothing.
  static std::string missing();

  static Expected<VerbsGroup> connect(std::uint32_t members, std::size_t region_bytes,
                                      std::size_t source_bytes, int gid_index = -1);

  [[nodiscard]] VerbsTransport& endpoint(std::uint32_t rank) { return *endpoints_[rank]; }
  void end(std::uint32_t rank) { endpoints_[rank].reset(); }

 private:
  std::vector<std::unique_ptr<VerbsTransport>> endpoints_;
};

/// Makes the link out of what was offered and what the peer offered, and gives it to the transport.
Expected<void> take(LinkMaker& maker, VerbsTransport& transport, LinkId link, const Offer& theirs);

/// For a group of two, with little memory.
VerbsOptions small_options(DeviceChoice device);

/// The names of this machine's RDMA devices, sorted.
std::vector<std::string> rdma_devices();

}  // namespace lockstep::transports::conformance
