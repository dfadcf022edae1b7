#include "tests/transports/verbs_group.hpp"

#include <infiniband/verbs.h>

#include <algorithm>
#include <utility>

namespace lockstep::transports::conformance {

std::vector<std::string> rdma_devices() {
  int count = 0;
  ibv_device** list = ::ibv_get_device_list(&count);
  std::vector<std::string> names;
  for (int i = 0; list != nullptr && i < count; ++i) {
    names.emplace_back(::ibv_get_device_name(list[i]));
  }
  if (list != nullptr) ::ibv_free_device_list(list);
  std::ranges::sort(names);
  return names;
}

VerbsOptions small_options(DeviceChoice device) {
  VerbsOptions options;
  options.device = std::move(device);
  options.members = 2;
  options.region_bytes = 4'096;
  options.source_bytes = 1 << 16;
  options.memory.huge_pages = HugePages::never;
  return options;
}

std::string VerbsGroup::missing() {
  return rdma_devices().empty() ? "no RDMA device here (ci/soft-roce runs this in a VM)" : "";
}

Expected<void> take(LinkMaker& maker, VerbsTransport& transport, LinkId link, const Offer& theirs) {
  MetPeer peer;
  peer.rank = link;
  peer.parameters = theirs.parameters;
  auto made = maker.make(std::move(peer));
  if (!made) return std::unexpected(made.error());
  return transport.adopt(std::move(*made));
}

Expected<VerbsGroup> VerbsGroup::connect(std::uint32_t members, std::size_t region_bytes,
                                         std::size_t source_bytes, int gid_index) {
  const std::vector<std::string> devices = rdma_devices();
  VerbsGroup group;
  for (std::uint32_t rank = 0; rank < members; ++rank) {
    VerbsOptions options;
    options.device.device = rank % 2 == 0 ? devices.front() : devices.back();
    options.device.gid_index = gid_index;
    options.members = members;
    options.region_bytes = region_bytes;
    options.source_bytes = source_bytes;
    options.memory.huge_pages = HugePages::never;
    auto endpoint = VerbsTransport::open(options);
    if (!endpoint) return std::unexpected(endpoint.error());
    group.endpoints_.push_back(std::move(*endpoint));
  }
  std::vector<std::unique_ptr<LinkMaker>> makers;
  for (const auto& endpoint : group.endpoints_) makers.push_back(endpoint->link_maker());
  for (std::uint32_t rank = 0; rank < members; ++rank) {
    for (std::uint32_t peer = 0; peer < rank; ++peer) {
      auto mine = makers[rank]->offer_for(peer, false);
      auto theirs = makers[peer]->offer_for(rank, false);
      if (!mine) return std::unexpected(mine.error());
      if (!theirs) return std::unexpected(theirs.error());
      if (auto made = take(*makers[rank], group.endpoint(rank), peer, *theirs); !made) {
        return std::unexpected(made.error());
      }
      if (auto made = take(*makers[peer], group.endpoint(peer), rank, *mine); !made) {
        return std::unexpected(made.error());
      }
    }
  }
  return group;
}

}  // namespace lockstep::transports::conformance
